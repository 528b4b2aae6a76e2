// A typed client of the API: one function, one operation a call. Nothing is retried here: what may be
// asked again, and how long somebody waits, is the caller's to say. Runs in Node and in browsers.
import { type Operations, operations } from './operations.ts'

export type OperationName = keyof Operations

/** What an operation takes: `path`, `query` and `body`, as far as it has them. */
export type InputOf<Name extends OperationName> = Omit<Operations[Name], 'answer'>

export type AnswerOf<Name extends OperationName> = Operations[Name]['answer']

/** An answer of 400 and above (RFC 9457); `status` is 0 where none came. */
export class ApiError extends Error {
  readonly status: number
  /** Stable; docs/ERRORS.md lists them. */
  readonly code: string
  readonly detail: string
  /** What to do. */
  readonly fix: string
  readonly retryAfterSeconds: number | undefined

  constructor(status: number, problem: Readonly<Record<string, unknown>>, retryAfter?: number) {
    const text = (name: string) => (typeof problem[name] === 'string' ? problem[name] : '')
    super(text('detail') || `status ${status}`)
    this.name = 'ApiError'
    this.status = status
    this.code = text('code')
    this.detail = text('detail')
    this.fix = text('fix')
    this.retryAfterSeconds = retryAfter
  }
}

export interface ClientOptions {
  /** Where serving listens. */
  readonly url: string
  readonly key: string
  /** Instead of the global one. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

export type Client = <Name extends OperationName>(
  name: Name,
  input: InputOf<Name>,
  options?: { readonly signal?: AbortSignal },
) => Promise<AnswerOf<Name>>

interface AnyInput {
  readonly path?: Readonly<Record<string, unknown>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly body?: unknown
}

/** Method and URL of a call, without the host. */
export function addressOf(name: OperationName, { path = {}, query = {} }: AnyInput) {
  const [method, template] = operations[name]
  const filled = template.replace(/\{(\w+)\}/g, (_, part) => encodeURIComponent(String(path[part])))
  const given = Object.entries(query).filter(([, value]) => value !== undefined)
  const search = given
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`)
    .join('&')
  return { method, path: search === '' ? filled : `${filled}?${search}` }
}

/**
 * A client with a key.
 * @example await client('getReportsClicksTopN', { query: { dimension: 'ad_id' } })
 */
export function createClient({ url, key, fetch = globalThis.fetch }: ClientOptions): Client {
  const base = url.replace(/\/+$/, '')
  return async (name, input: AnyInput, { signal } = {}) => {
    const { method, path } = addressOf(name, input)
    const response = await fetch(base + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) }),
      ...(signal ? { signal } : {}),
    })
    const value = (await response.json().catch(() => ({}))) as Record<string, unknown>
    if (response.ok) return value as AnswerOf<typeof name>
    const seconds = Number(response.headers.get('retry-after'))
    throw new ApiError(response.status, value, seconds > 0 ? seconds : undefined)
  }
}
