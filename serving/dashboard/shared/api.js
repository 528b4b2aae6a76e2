// The API. Every answer also tells the server's clock: ranges and "seconds behind" use that one,
// because the reader's may be wrong by minutes. The key travels in a header, never in an address.

/** An answer that is not a success: problem+json where the server sent it. */
export class ApiProblem extends Error {
  /**
   * @param {number} status 0: the server could not be reached
   * @param {{ title?: string, detail?: string, fix?: string, code?: string }} body
   */
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The server answered ${status}.`)
    this.name = 'ApiProblem'
    this.status = status
    this.title = body.title ?? this.message
    this.fix = body.fix ?? ''
    this.code = body.code ?? ''
  }
}

const timeoutMs = 30_000
/** The Date header has whole seconds: smaller differences are not differences. */
const clockToleranceMs = 2_000

/**
 * @typedef {{ meta: Record<string, any>, data: Record<string, any>[] }} Answer
 * @typedef {object} Api
 * @property {(path: string, query: Record<string, string>, signal: AbortSignal) => Promise<Answer>} report
 * @property {(path: string, signal: AbortSignal) => Promise<Record<string, any>>} get
 * @property {(path: string, body?: unknown) => Promise<Record<string, any>>} post
 * @property {(path: string, signal: AbortSignal) => Promise<Response>} open an endless answer: no time limit
 * @property {(path: string, query: Record<string, string>, name: string) => Promise<void>} save as a file
 * @property {() => number} now the server's clock, ms
 */

/**
 * @param {string} key API key
 * @param {() => void} onRefused the key is not, or no longer, good
 * @returns {Api}
 */
export function createApi(key, onRefused) {
  let clockOffsetMs = 0

  const send = async (path, { headers, ...init }) => {
    const before = Date.now()
    let response
    try {
      const authorization = `Bearer ${key}`
      response = await fetch(path, { ...init, headers: { ...headers, authorization } })
    } catch (cause) {
      if (init.signal.aborted && init.signal.reason?.name !== 'TimeoutError') throw cause
      throw unreachable()
    }
    const date = Date.parse(response.headers.get('date') ?? '')
    const offset = date + 500 - (before + Date.now()) / 2
    if (Number.isFinite(offset)) clockOffsetMs = Math.abs(offset) > clockToleranceMs ? offset : 0
    if (response.status === 401) onRefused()
    if (!response.ok) throw new ApiProblem(response.status, await response.json().catch(() => ({})))
    return response
  }
  const open = (path, signal) => send(path, { signal })
  const limited = (signal) =>
    AbortSignal.any([...(signal ? [signal] : []), AbortSignal.timeout(timeoutMs)])

  const get = async (path, signal) => (await send(path, { signal: limited(signal) })).json()
  const post = async (path, body) => {
    const content =
      body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    return (await send(path, { method: 'POST', signal: limited(), ...content })).json()
  }
  const report = async (path, query, signal) => {
    const { meta = {}, data = [] } = await get(`${path}?${new URLSearchParams(query)}`, signal)
    return { meta, data }
  }
  const save = async (path, query, name) => {
    const answer = await send(`${path}?${new URLSearchParams(query)}`, { signal: limited() })
    const address = URL.createObjectURL(await answer.blob())
    const link = document.createElement('a')
    link.href = address
    link.download = name
    link.click()
    // The browser reads it after this task.
    setTimeout(() => URL.revokeObjectURL(address), 60_000)
  }
  return { report, get, post, open, save, now: () => Date.now() + clockOffsetMs }
}

const unreachable = () =>
  new ApiProblem(0, {
    title: 'The server cannot be reached.',
    fix: 'What is shown is what was received last.',
  })
