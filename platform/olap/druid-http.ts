// The way to Druid: JSON over HTTP with time limits. A refusal keeps Druid's own words; callers
// decide what it means. The body of a request is never part of an error: it can hold secrets.
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Agent, type Dispatcher } from 'undici'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'
import { backoffMs } from '../wait.ts'

/** Requests under way to one server, at most. */
const connectionsMax = 16
/** Pipes to one server are opened for so long, and an answer may pause for so long in the middle. */
const [connectMs, pauseMs] = [2_000, 30_000]
const attemptsMax = 6
/** Before a query is asked a second time: brokers need a moment to be replaced. */
const retryMs = { least: 50, spread: 150 }
const cancelMs = 2_000
/** Druid does not know a statement before it has planned it: until then it is asked again to stop it. */
const cancelAgainMs = [100, 200, 400, 800, 1_600]
const queryMs = 10_000
const messageCharsMax = 2_000
const nativePath = '/druid/v2'
const sqlPath = `${nativePath}/sql`

/** Druid's refusal, or (status 0) no answer at all. */
export class DruidError extends Error {
  readonly status: number
  /** Of an answer that never came: whether not even its status did, and whether we gave up on it. */
  readonly lost: { readonly isUnanswered: boolean; readonly isGivenUp: boolean } | undefined
  constructor(status: number, message: string, cause?: unknown, lost?: DruidError['lost']) {
    super(message, { cause })
    this.name = 'DruidError'
    this.status = status
    this.lost = lost
  }
}

export interface DruidRequest {
  readonly path: string
  readonly body?: unknown
  readonly method?: 'DELETE'
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Another server than the router: a task, a broker; '' is the router, too. */
  readonly server?: string
}

export type SqlValue = string | number | null

export interface DruidClient {
  /** @returns the parsed answer; text where it is not JSON @throws DruidError */
  ask(request: DruidRequest): Promise<unknown>
  /** The same for requests that may run twice: asked again, a few times, while nobody answers. */
  askAgain(request: DruidRequest): Promise<unknown>
  /**
   * Rows as arrays. Asked a second time where the first never got to a broker; cancelled in Druid
   * where it runs out of time or the signal aborts.
   * @param parameters - values of `?`, all strings
   */
  sql(query: string, options?: SqlOptions): Promise<SqlValue[][]>
  /** Rows of a native query, as its type has them; else as `sql`. */
  native(query: Readonly<Record<string, unknown>>, options?: QueryOptions): Promise<unknown[]>
  /** An answer as it comes: not parsed, not asked again. @throws DruidError */
  open(request: DruidRequest): Promise<Dispatcher.ResponseData['body']>
  /** Best effort: ends a statement. @param id - of its statementIds */
  cancel(id: string, server: string): void
  close(): Promise<void>
}

export interface QueryOptions {
  readonly timeoutMs?: number
  /** Whom to ask, for each time it is asked; absent: the router. */
  readonly server?: () => Promise<string>
  /** Aborted: the answer is no longer wanted. */
  readonly signal?: AbortSignal
  /** Told when all of the answer is there, before it is parsed. */
  readonly onAnswer?: () => void
}

export interface SqlOptions extends QueryOptions {
  readonly parameters?: readonly string[]
}

interface AskedQuery extends QueryOptions {
  readonly path: string
  readonly id: string
  readonly body: unknown
  readonly timeoutMs: number
}

/** No broker has begun with it: refused, cut before the answer began, or no broker is there. */
const mayAskTwice = (error: unknown): boolean =>
  error instanceof DruidError &&
  (error.status === 503 || (error.lost?.isUnanswered === true && !error.lost.isGivenUp))

const isGivenUp = (error: unknown): boolean =>
  error instanceof DruidError && error.lost?.isGivenUp === true

const isGone = (error: unknown): boolean =>
  error instanceof DruidError && (error.status === 0 || error.status >= 500)

/** Context of a statement: its native queries have its id too, so that they can be ended by it. */
export const statementIds = (id: string) => ({ sqlQueryId: id, queryId: id })

/** Druid's words out of any of its shapes of errors. */
function messageOf(status: number, answer: unknown): string {
  const { errorMessage, error } = (
    typeof answer === 'object' && answer !== null ? answer : {}
  ) as Record<string, unknown>
  const text = errorMessage ?? error ?? answer
  const said = typeof text === 'string' && text !== '' ? text : JSON.stringify(text)
  return `${status}: ${said.slice(0, messageCharsMax)}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export function createDruidClient(settings: Settings): DruidClient {
  // Until an answer begins, each request has a limit of its own (`timeoutMs`).
  const agent = new Agent({
    connections: connectionsMax,
    connect: { timeout: connectMs },
    headersTimeout: 0,
    bodyTimeout: pauseMs,
  })
  const { CLICKLEDGER_DRUID_USERNAME: user, CLICKLEDGER_DRUID_PASSWORD: password } = settings
  const base = settings.CLICKLEDGER_DRUID_URL.replace(/\/+$/, '')
  const headers = {
    'content-type': 'application/json',
    ...(user
      ? { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
      : {}),
  }

  const send = async <T>(
    { path, body, server, method, signal, timeoutMs = 10_000 }: DruidRequest,
    read: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> => {
    const url = new URL(`${server || base}${path}`)
    const late = AbortSignal.timeout(timeoutMs)
    const enough = signal ? AbortSignal.any([signal, late]) : late
    let status = 0
    try {
      const response = await agent.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method: method ?? (body === undefined ? 'GET' : 'POST'),
        headers,
        body: body === undefined ? null : JSON.stringify(body),
        signal: enough,
      })
      status = response.statusCode
      if (status >= 200 && status < 300) return await read(response)
      throw new DruidError(status, messageOf(status, parsed(await response.body.text())))
    } catch (cause) {
      if (cause instanceof DruidError) throw cause
      const { code, message } = cause as Error & { code?: string | number }
      const why = typeof code === 'string' ? code : message
      const lost = { isUnanswered: status === 0, isGivenUp: enough.aborted }
      throw new DruidError(0, `no answer from ${url.origin}: ${why}`, cause, lost)
    }
  }
  const ask = (request: DruidRequest, onAnswer?: () => void): Promise<unknown> =>
    send(request, async ({ body }) => {
      const text = await body.text()
      onAnswer?.()
      return parsed(text)
    })

  const twice = async <T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> => {
    try {
      return await attempt()
    } catch (error) {
      if (!mayAskTwice(error) || signal?.aborted) throw error
      await delay(retryMs.least + Math.random() * retryMs.spread)
      return attempt()
    }
  }
  /** A closed connection alone does not stop a query. Best effort: it also has a time-out in Druid. */
  const tryToCancel = async (path: string, id: string, server: string): Promise<void> => {
    /** @returns whether Druid knew it; of a native query it always says so */
    const isTold = (of: string): Promise<boolean> =>
      ask({ path: `${of}/${id}`, method: 'DELETE', timeoutMs: cancelMs, server }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof DruidError && error.status === 404) return false
          throw error
        },
      )
    if (path === sqlPath) {
      for (const ms of cancelAgainMs) {
        if (await isTold(sqlPath)) break
        await delay(ms, undefined, { ref: false })
      }
    }
    // Also of a statement: told between its planning and its start, it says yes, and starts.
    for (const ms of cancelAgainMs.slice(0, 3)) {
      await isTold(nativePath)
      await delay(ms, undefined, { ref: false })
    }
  }
  const cancel = (path: string, id: string, server: string) => {
    tryToCancel(path, id, server).catch(() => {}) // it runs out of time
  }

  /** Asks a query, twice at most, and ends it where nobody waits for it any more. */
  const rowsOf = async ({ path, id, body, timeoutMs, ...options }: AskedQuery) => {
    const { server: whom, signal, onAnswer } = options
    const rows = await twice(async () => {
      const server = (await whom?.()) ?? ''
      // Druid stops the query itself; the longer limit is for a Druid that hangs.
      const limits = { timeoutMs: timeoutMs + 2_000, ...(signal ? { signal } : {}) }
      return ask({ path, body, server, ...limits }, onAnswer).catch((error: unknown) => {
        if (isGivenUp(error)) cancel(path, id, server)
        throw error
      })
    }, signal)
    // An answer that broke off in the middle still came with status 200.
    if (!Array.isArray(rows)) throw new DruidError(502, 'the answer of Druid broke off')
    return rows
  }

  return {
    ask: (request) => ask(request),
    cancel: (id, server) => cancel(sqlPath, id, server),
    open: (request) => send(request, async ({ body }) => body),
    async askAgain(request) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await ask(request)
        } catch (error) {
          if (!isGone(error) || attempt === attemptsMax) throw error
          await delay(backoffMs(attempt))
        }
      }
    },
    async sql(query, { parameters = [], timeoutMs = queryMs, ...options } = {}) {
      const id = randomUUID()
      // A topN that is only nearly right is not what anybody is billed by.
      const context = {
        ...statementIds(id),
        timeout: timeoutMs,
        sqlTimeZone: 'UTC',
        useApproximateTopN: false,
      }
      const body = {
        ...{ query, resultFormat: 'array', context },
        parameters: parameters.map((value) => ({ type: 'VARCHAR', value })),
      }
      const rows = await rowsOf({ path: sqlPath, id, body, timeoutMs, ...options })
      return rows as SqlValue[][]
    },
    native(query, { timeoutMs = queryMs, ...options } = {}) {
      const queryId = randomUUID()
      const context = { ...(query.context as object), queryId, timeout: timeoutMs }
      const body = { ...query, context }
      return rowsOf({ path: nativePath, id: queryId, body, timeoutMs, ...options })
    },
    close: () => agent.close(),
  }
}

/** What a failure means to somebody who asked for numbers. */
export function storeError(error: unknown): ClickledgerError {
  if (error instanceof ClickledgerError) return error
  const { message } = error as Error
  if (error instanceof DruidError && error.status === 504) {
    return new ClickledgerError('query-timeout', undefined, error)
  }
  if (/resource limit exceeded|not enough (merge|aggregation|dictionary)/i.test(message)) {
    return new ClickledgerError('query-too-large', `Druid refused: ${message}`, error)
  }
  return new ClickledgerError('unavailable', `Druid does not answer: ${message}`, error)
}
