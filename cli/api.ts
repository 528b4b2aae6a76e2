// The HTTP client of the commands. Answers are problems with codes (RFC 9457) or JSON; a network
// that does not answer is `unavailable`. Retries are bounded, and only for what may be repeated.
import { type Dispatcher, request } from 'undici'
import { backoffMs, pause } from '#platform/wait.ts'
import { ClickledgerError, isErrorCode } from '#schemas/errors.ts'
import {
  type AnswerOf,
  addressOf,
  type InputOf,
  type OperationName,
} from '../serving/client/client.ts'

const attemptsMax = 8
const retryAfterMaxMs = 10_000
const requestTimeoutMs = 60_000

export interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  readonly key?: string
  readonly body?: string
  readonly contentType?: string
  readonly dispatcher?: Dispatcher
  /** How long an answer may take; default: a minute. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Answer {
  readonly status: number
  readonly value: unknown
  readonly retryAfterMs: number | undefined
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** One request, one answer. @throws ClickledgerError `unavailable` where none comes */
export async function callOnce(call: Call): Promise<Answer> {
  const { method, url, key, body, contentType = 'application/json', dispatcher, signal } = call
  const { timeoutMs = requestTimeoutMs } = call
  try {
    const response = await request(url, {
      method,
      headers: {
        ...(key ? { authorization: `Bearer ${key}` } : {}),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body }),
      ...(dispatcher ? { dispatcher } : {}),
      ...(signal ? { signal } : {}),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    })
    const seconds = Number(response.headers['retry-after'])
    return {
      status: response.statusCode,
      value: parseAnswer(await response.body.text()),
      retryAfterMs: seconds > 0 ? Math.min(seconds * 1000, retryAfterMaxMs) : undefined,
    }
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ClickledgerError('unavailable', `${method} ${url}: no answer`, cause)
  }
}

/** The error that an answer of 400 and above stands for. */
export function errorOf({ status, value }: Answer, call: Call): ClickledgerError {
  const { code, detail, fix } = (value ?? {}) as Record<string, unknown>
  const known = isErrorCode(code) ? code : status >= 500 ? 'internal' : 'bad-request'
  const path = new URL(call.url).pathname
  const text = typeof detail === 'string' ? detail : `status ${status}`
  return new ClickledgerError(
    known,
    `${call.method} ${path}: ${text}${typeof fix === 'string' ? `\n  ${fix}` : ''}`,
  )
}

/** Answers that may be better next time. */
export const mayRetry = (status: number) => status === 429 || status === 503

/**
 * Calls until there is an answer other than 429, 503 and none; at most 8 times.
 * For what may be repeated: reads, upserts, clicks with an id.
 * @throws ClickledgerError with the code of the answer
 */
export async function callRepeating(call: Call): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    let fault: unknown
    let waitMs = backoffMs(attempt)
    try {
      const answer = await callOnce(call)
      if (answer.status < 400) return answer.value
      fault = errorOf(answer, call)
      if (!mayRetry(answer.status)) throw fault
      waitMs = answer.retryAfterMs ?? waitMs
    } catch (error) {
      if (!(error instanceof ClickledgerError) || error.code !== 'unavailable') throw error
      fault = error
    }
    if (attempt >= attemptsMax || call.signal?.aborted) throw fault
    await pause(waitMs, call.signal)
  }
}

/** The API of a serving node, with a key. */
export interface Api {
  readonly url: string
  /** A GET of the API's own description, with what it answers. */
  read<Name extends OperationName>(name: Name, input: InputOf<Name>): Promise<AnswerOf<Name>>
  get(path: string): Promise<unknown>
  post(path: string, body: unknown): Promise<unknown>
  /** Not repeated: for what must not happen twice. */
  postOnce(path: string, body: unknown, timeoutMs?: number): Promise<unknown>
  delete(path: string): Promise<unknown>
}

export function createApi(url: string, key: string, signal?: AbortSignal): Api {
  const base = url.replace(/\/+$/, '')
  const post = (path: string, body: unknown): Call => ({
    method: 'POST',
    url: base + path,
    key,
    body: JSON.stringify(body),
    signal,
  })
  return {
    url: base,
    read: async (name, input) => {
      const { path } = addressOf(name, input)
      return callRepeating({ method: 'GET', url: base + path, key, signal }) as AnswerOf<
        typeof name
      >
    },
    get: (path) => callRepeating({ method: 'GET', url: base + path, key, signal }),
    post: (path, body) => callRepeating(post(path, body)),
    delete: (path) => callRepeating({ method: 'DELETE', url: base + path, key, signal }),
    postOnce: async (path, body, timeoutMs) => {
      const call = { ...post(path, body), timeoutMs }
      const answer = await callOnce(call)
      if (answer.status >= 400) throw errorOf(answer, call)
      return answer.value
    },
  }
}
