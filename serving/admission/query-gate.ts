// The way to the OLAP store: so many queries at once, so many waiting, each within its time. A query
// that ran out of time keeps its place until the store has really ended it, or a slow store would
// be handed ever more work.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ServingMetrics } from '../metrics.ts'

export interface QueryGateOptions {
  readonly concurrentMax: number
  readonly waitingMax: number
  readonly timeoutMs: number
  readonly metrics?: Pick<ServingMetrics, 'querySeconds' | 'refusedQueries'>
}

export interface QueryGate {
  /** @throws ClickledgerError `too-many-requests`, `query-timeout`, `unavailable` */
  query(query: ReportQuery): Promise<ReportRow[]>
  load(): { readonly running: number; readonly waiting: number }
}

export function createQueryGate(
  olap: Pick<OlapStore, 'query'>,
  { concurrentMax, waitingMax, timeoutMs, metrics }: QueryGateOptions,
): QueryGate {
  const waiting: (() => void)[] = []
  let running = 0

  const enter = (): Promise<void> | undefined => {
    if (running < concurrentMax) {
      running++
      return undefined
    }
    if (waiting.length >= waitingMax) {
      metrics?.refusedQueries.inc({ reason: 'queue-full' })
      throw new ClickledgerError('too-many-requests', 'Too many reports are being computed.')
    }
    return new Promise((resolve) => waiting.push(resolve))
  }
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else running--
  }
  const timed = async (query: ReportQuery): Promise<ReportRow[]> => {
    const ended = metrics?.querySeconds.startTimer()
    try {
      const rows = await olap.query(query)
      ended?.({ result: 'ok' })
      return rows
    } catch (error) {
      ended?.({ result: 'failed' })
      throw error
    }
  }
  const ask = async (query: ReportQuery, abandoned: () => boolean): Promise<ReportRow[]> => {
    await enter()
    try {
      return abandoned() ? [] : await timed(query)
    } catch (cause) {
      if (cause instanceof ClickledgerError) throw cause
      throw new ClickledgerError('unavailable', 'The OLAP store does not answer.', cause)
    } finally {
      leave()
    }
  }

  return {
    load: () => ({ running, waiting: waiting.length }),
    async query(query) {
      let late = false
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          late = true
          metrics?.refusedQueries.inc({ reason: 'timeout' })
          reject(new ClickledgerError('query-timeout', `The limit is ${timeoutMs / 1000} s.`))
        }, timeoutMs)
      })
      try {
        return await Promise.race([ask(query, () => late), timeout])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
