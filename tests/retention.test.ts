// Retention as an operator gets it: the scheduler drops minutes, then hours, of days that are final for
// long enough. Coarser answers stay what they were, finer ones are refused, and nothing above the
// boundary goes. So do the reports of nodes that are gone.
import test from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import { readHeartbeats, reportHeartbeat } from '#platform/heartbeats.ts'
import { readDropped } from '#platform/retention.ts'
import { until } from '#platform/wait.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { startLayers } from './support/layers.ts'
import { clicksIn, seed } from './support/random-clicks.ts'
import { embedded } from './support/stacks.ts'

const day = Date.UTC(2026, 2, 1)

test('minutes go, then hours; days answer as before', async (t) => {
  t.log(`seed ${seed}`)
  const env = {
    ...embedded.env(t),
    CLICKLEDGER_MINUTE_RETENTION: 'P1D',
    CLICKLEDGER_HOUR_RETENTION: 'P2D',
  }
  const layers = await startLayers(env, day + 5 * 60_000)
  t.teardown(() => layers.close())
  const { olap, catalogue, clock } = layers
  const nothing = { archivedEnds: [], logEnds: [] }
  await reportHeartbeat(catalogue, 'archive', 'a-pod-of-before', clock.now(), nothing)
  await layers.append(clicksIn(day + hourMs, 2 * hourMs, 1))
  await layers.judged()
  clock.advance(dayMs + 2 * hourMs)
  await layers.sealed(day + dayMs)

  const ask = async (granularity: ReportQuery['granularity']) =>
    olap.query({
      ...{ start: day, end: day + dayMs, boundary: day + dayMs, granularity, timeZone: 'UTC' },
      ...{ dropped: await readDropped(catalogue, day, day + dayMs), dimensions: [], filters: [] },
      ...{ metrics: ['gross_click_count', 'click_count'], limit: 10_000 },
    })
  const before = { hour: await ask('hour'), day: await ask('day') }
  t.true((await ask('minute')).length > 100)

  /** Lets hours pass until the day is recorded and dropped in this grain. */
  const dropped = (grain: 'minute' | 'hour') =>
    until(
      async () => {
        clock.advance(hourMs)
        const rows = await catalogue.query(
          'SELECT 1 FROM dropped_days WHERE grain = $1 AND day = $2 AND dropped_at IS NOT NULL',
          [grain, day],
        )
        return rows.length > 0
      },
      { everyMs: 100, what: `the day is dropped by ${grain}` },
    )
  await dropped('minute')
  await t.throwsAsync(ask('minute'), { code: 'not-kept' })
  t.deepEqual({ hour: await ask('hour'), day: await ask('day') }, before)
  await dropped('hour')
  await t.throwsAsync(ask('hour'), { code: 'not-kept' })
  t.deepEqual(await ask('day'), before.day)
  t.is((await readHeartbeats(catalogue, 'archive')).length, 1, 'a node that is gone is forgotten')
})
