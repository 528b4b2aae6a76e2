// An advertiser who looks at the totals all the while something is broken. Every answer must count
// all that it claims with its watermark, say that it is degraded, or be refused honestly.
import type { ExecutionContext } from 'ava'
import { pause } from '#platform/wait.ts'
import type { TotalsReport, UnderLoad } from './under-load.ts'

const everyMs = 250

export interface Watched {
  answered: number
  degraded: number
  refused: number
}

export interface ReportWatch {
  readonly seen: Readonly<Watched>
  stop(): Promise<Readonly<Watched>>
}

/** Starts looking; what an answer may not say fails the test. */
export function watchReport(t: ExecutionContext, run: UnderLoad): ReportWatch {
  const stopping = new AbortController()
  const seen: Watched = { answered: 0, degraded: 0, refused: 0 }

  const look = async (granularity: 'all' | 'hour'): Promise<void> => {
    const answer = await run.totals(granularity).catch(() => undefined) // serving itself may be down
    if (!answer) return
    if (!answer.ok) {
      seen.refused++
      const text = await answer.text()
      t.true([503, 504].includes(answer.status), `${answer.status} ${text}`)
      t.truthy(answer.headers.get('retry-after'), text)
      return
    }
    const { data, meta } = (await answer.json()) as TotalsReport
    const gross = data.reduce((sum, row) => sum + (row.gross_click_count ?? 0), 0)
    t.true(gross <= run.load.ledger.sent, `${gross} counted of ${run.load.ledger.sent} sent`)
    if (meta.degraded) {
      seen.degraded++
      return
    }
    seen.answered++
    const watermark = Date.parse(meta.watermark ?? '')
    const claimed = run.load.ledger.acceptedAt.filter((time) => time < watermark).length
    t.true(gross >= claimed, `${gross} counted of ${claimed}: ${JSON.stringify(meta)}`)
  }

  const running = (async () => {
    // Druid's answers are proven in one of two ways: one that names the segments it was made from, or not.
    for (let n = 0; !stopping.signal.aborted; n++) {
      await look(n % 2 === 0 ? 'all' : 'hour')
      await pause(everyMs, stopping.signal)
    }
  })()
  t.teardown(() => stopping.abort())
  return {
    seen,
    async stop() {
      stopping.abort()
      await running
      return seen
    },
  }
}
