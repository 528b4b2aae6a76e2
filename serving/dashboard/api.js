// The reports API. Every answer also tells the server's clock: ranges and "seconds behind" use
// that one, because the reader's may be wrong by minutes.

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
 * @property {(path: string, signal: AbortSignal) => Promise<Response>} open an endless answer: no time limit
 * @property {() => number} now the server's clock, ms
 */

/**
 * @param {string} key API key
 * @returns {Api}
 */
export function createApi(key) {
  let clockOffsetMs = 0

  const open = async (path, signal) => {
    const before = Date.now()
    let response
    try {
      response = await fetch(path, { signal, headers: { authorization: `Bearer ${key}` } })
    } catch (cause) {
      if (signal.aborted && signal.reason?.name !== 'TimeoutError') throw cause
      throw unreachable()
    }
    const date = Date.parse(response.headers.get('date') ?? '')
    const offset = date + 500 - (before + Date.now()) / 2
    if (Number.isFinite(offset)) clockOffsetMs = Math.abs(offset) > clockToleranceMs ? offset : 0
    if (!response.ok) throw new ApiProblem(response.status, await response.json().catch(() => ({})))
    return response
  }

  const get = async (path, signal) => {
    const response = await open(path, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]))
    return response.json()
  }

  const report = async (path, query, signal) => {
    const { meta = {}, data = [] } = await get(`${path}?${new URLSearchParams(query)}`, signal)
    return { meta, data }
  }

  return { report, get, open, now: () => Date.now() + clockOffsetMs }
}

const unreachable = () =>
  new ApiProblem(0, {
    title: 'The server cannot be reached.',
    fix: 'The numbers shown are the last ones received. Trying again by itself.',
  })
