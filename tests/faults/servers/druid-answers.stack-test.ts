// What the rows of an answer say that they were read from, they were read from: at every moment, also that in
// which a data node dies. Asked without a pause, for such moments are short.
import test from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import { until } from '#platform/wait.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { feedClicks } from '../../../bench/support/serving.ts'
import { blankClick } from '../../support/blank-clicks.ts'
import { openDruid } from '../../support/druid.ts'
import { stackSettings, testServers } from '../../support/stack.ts'
import { loadClicks } from '../../support/staged.ts'

const hours = 3
const perHour = 50
const poll = { everyMs: 50 }
const ratePerSecond = 200

for (const victim of ['druid-indexer', 'druid-broker', 'druid-historical'] as const) {
  test.serial(`${victim} killed: no answer has less than it says`, async (t) => {
    t.timeout(600_000)
    const { store, log, objects } = await openDruid(t, stackSettings(t))
    const server = testServers().server(victim)
    t.teardown(() => server.start())
    const boundary = hourOf(Date.now())
    const clicks = Array.from({ length: hours * perHour }, (_, i) => {
      const event_time = boundary - (1 + (i % hours)) * hourMs
      return { ...blankClick, event_time, status: 'valid' as const }
    })
    await loadClicks({ store, objects }, 'run', clicks)
    const stopFeeding = feedClicks(log, ratePerSecond)
    t.teardown(stopFeeding)

    const query: ReportQuery = {
      ...{ start: boundary - hours * hourMs, end: boundary + 2 * hourMs, boundary },
      ...{ granularity: 'minute', timeZone: 'UTC', dimensions: [], filters: [] },
      ...{ metrics: ['gross_click_count'], limit: 1_000 },
    }
    const seen = { proven: 0, unproven: 0, refused: 0 }
    const wrong: object[] = []
    const ask = async () => {
      let applied: readonly number[] | undefined
      const rows = await store.query(query, undefined, (proven) => {
        applied = proven
      })
      const sum = (isBatch: boolean) =>
        rows
          .filter(({ time }) => time < boundary === isBatch)
          .reduce((total, { metrics }) => total + (metrics.gross_click_count ?? 0), 0)
      const below = applied?.reduce((total, offset) => total + offset, 0)
      const [batch, speed] = [sum(true), sum(false)]
      if (batch !== hours * perHour || speed < (below ?? 0)) wrong.push({ batch, speed, below })
      seen[applied ? 'proven' : 'unproven']++
    }
    const stopping = new AbortController()
    const again = async () => {
      while (!stopping.signal.aborted) {
        await ask().catch((error: { code?: string }) => {
          if (error.code !== 'unavailable') wrong.push(error)
          seen.refused++
        })
      }
    }
    const asking = [again(), again()]
    const untilProven = async (what: string) => {
      const before = seen.proven
      const isProven = async () => {
        await store.realtime().catch(() => {}) // away for a while
        return seen.proven >= before + 100
      }
      await until(isProven, { ...poll, what })
    }
    const untilAnswered = async (what: string) => {
      const answers = () => seen.proven + seen.unproven
      const before = answers()
      await until(() => answers() >= before + 20, { ...poll, what })
    }
    await untilProven('answers are whole at first')
    // Nobody looks meanwhile: what was proven grows old, and each answer has to tell.
    await server.kill()
    if (victim === 'druid-indexer') await untilAnswered('answers without what the tasks held')
    await server.start()
    await untilAnswered('it answers again')
    await untilProven(`answers are whole after ${victim} came back`)
    stopping.abort()
    await Promise.all(asking)
    t.log(JSON.stringify({ ...seen, fed: await stopFeeding() }))
    t.deepEqual(wrong, [])
  })
}
