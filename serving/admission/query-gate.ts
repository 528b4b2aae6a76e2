// The way to the OLAP store: so many queries at once, fairly among tenants, so many waiting, each
// within its time and only as long as somebody waits for it. A query that was given up keeps its place
// until the store has really ended it, or a slow store would be handed ever more work.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import type { OlapStore, OnRead } from '#platform/olap/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ServingMetrics } from '../metrics.ts'
import { type Caller, operatorsCaller } from './caller.ts'
import { createFairQueue, type FairLimits } from './fair-queue.ts'

export interface QueryGateOptions extends FairLimits {
  readonly timeoutMs: number
  readonly metrics?: Pick<ServingMetrics, 'querySeconds' | 'refusedQueries'>
}

export interface QueryGate {
  /**
   * @param onRead - told once the rows are read (platform/olap/port.ts); not by every store
   * @throws ClickledgerError `too-many-requests`, `query-timeout`, `client-gone`, `unavailable`
   */
  query(query: ReportQuery, caller?: Caller, onRead?: OnRead): Promise<ReportRow[]>
  /**
   * The same for any work on the store: it gets a place, a time limit and a signal.
   * @param work - settles only when the store has really ended it
   */
  pass<T>(caller: Caller, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  load(): { readonly running: number; readonly waiting: number }
}

const clientGone = () => new ClickledgerError('client-gone')

const known = (cause: unknown): ClickledgerError =>
  cause instanceof ClickledgerError
    ? cause
    : new ClickledgerError('unavailable', 'The OLAP store does not answer.', cause)

/** Rejects when the signal aborts, with its reason; `work` goes on by itself. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const settled = () => signal.removeEventListener('abort', stop)
    work.then(resolve, reject).finally(settled)
  })
}

export function createQueryGate(
  olap: Pick<OlapStore, 'query'>,
  { timeoutMs, metrics, ...limits }: QueryGateOptions,
): QueryGate {
  const queue = createFairQueue(limits)
  let tookMs = 100

  /** Until those who wait now have been served, by how long queries have taken. */
  const retryAfterSeconds = () =>
    Math.min(60, Math.ceil(((queue.load().waiting + 1) * tookMs) / limits.concurrentMax / 1000))

  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const begun = performance.now()
    const ended = metrics?.querySeconds.startTimer()
    try {
      const result = await work()
      ended?.({ result: 'ok' })
      return result
    } catch (error) {
      ended?.({ result: 'failed' })
      throw known(error)
    } finally {
      tookMs += 0.1 * (performance.now() - begun - tookMs)
    }
  }
  const inPlace = async <T>(
    tenant: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const leave = await queue.enter(tenant, signal)
    try {
      return await timed(() => work(signal))
    } finally {
      leave()
    }
  }
  const refused = (error: unknown): unknown => {
    const code = error instanceof ClickledgerError ? error.code : undefined
    if (code === 'client-gone') metrics?.refusedQueries.inc({ reason: 'client-gone' })
    if (code !== 'too-many-requests') return error
    metrics?.refusedQueries.inc({ reason: 'queue-full' })
    return new ClickledgerError('too-many-requests', (error as Error).message, error, {
      retryAfterSeconds: retryAfterSeconds(),
    })
  }
  const pass: QueryGate['pass'] = async (caller, work) => {
    const stop = new AbortController()
    const gone = () => stop.abort(clientGone())
    if (caller.signal?.aborted) throw refused(clientGone())
    caller.signal?.addEventListener('abort', gone, { once: true })
    const timer = setTimeout(() => {
      metrics?.refusedQueries.inc({ reason: 'timeout' })
      stop.abort(new ClickledgerError('query-timeout', `The limit is ${timeoutMs / 1000} s.`))
    }, timeoutMs)
    try {
      return await orAborted(inPlace(caller.tenant, stop.signal, work), stop.signal)
    } catch (error) {
      throw refused(error)
    } finally {
      clearTimeout(timer)
      caller.signal?.removeEventListener('abort', gone)
    }
  }

  return {
    pass,
    query: (query, caller = operatorsCaller, onRead) =>
      pass(caller, (signal) => olap.query(query, signal, onRead)),
    load: queue.load,
  }
}
