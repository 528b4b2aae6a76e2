// The record of dropped days against its meaning, day by day: recorded when the boundary and the last
// publication are long enough ago, dropped an hour later, again after every rebuild, asked for never.
import test, { type ExecutionContext } from 'ava'
import type { Interval } from '#core/boundary.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { openTestCatalogue } from '../tests/support/catalogue.ts'
import { pruneBatchView, readDropped } from './retention.ts'

const day = Date.UTC(2026, 0, 5)

async function setUp(t: ExecutionContext) {
  const catalogue = await openTestCatalogue(t)
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ('run', 'seal', 'done', '', 1, 0, '')`,
  )
  const drops: string[] = []
  let now = 0
  const parts = {
    catalogue,
    retention: { minuteMs: 7 * dayMs, hourMs: 90 * dayMs },
    now: () => now,
    olap: {
      async dropBatch(grain: string, { start, end }: Interval) {
        drops.push(`${grain} ${(start - day) / dayMs} ${(end - day) / dayMs}`)
      },
    },
  }
  return {
    publish: (hour: number, at: number) =>
      catalogue.query(
        `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
         VALUES ($1, 'run', 1, 1, $2) ON CONFLICT (hour) DO UPDATE SET published_at = excluded.published_at`,
        [hour, at],
      ),
    /** @returns what was dropped, as days since the first */
    async prune(at: number, boundary: number) {
      now = at
      drops.length = 0
      await pruneBatchView(parts, boundary)
      return [...drops]
    },
    dropped: () => readDropped(catalogue, 0, day + 1_000 * dayMs),
    catalogue,
  }
}

const days = (from: number, to: number) => [{ start: day + from * dayMs, end: day + to * dayMs }]

test('a day is recorded first and dropped an hour later, and its hours long after', async (t) => {
  const { publish, prune, dropped, catalogue } = await setUp(t)
  for (let d = 0; d < 12; d++) {
    for (const hour of [3, 20]) {
      await publish(day + d * dayMs + hour * hourMs, day + d * dayMs + (hour + 1) * hourMs)
    }
  }
  const boundary = day + 10 * dayMs + 5 * hourMs
  t.deepEqual(await prune(boundary, boundary), [])
  // Day 3 is over since the boundary is 7 days after its end: days 0, 1 and 2.
  t.deepEqual(await dropped(), { minute: days(0, 3), hour: [] })
  t.deepEqual(await prune(boundary + hourMs - 1, boundary), [])
  t.deepEqual(await prune(boundary + hourMs, boundary), ['minute 0 3'])
  t.deepEqual(await prune(boundary + 2 * hourMs, boundary), [])
  // A rebuild brings minutes of one day back.
  await publish(day + dayMs + 3 * hourMs, boundary + 3 * hourMs)
  t.deepEqual(await prune(boundary + 4 * hourMs, boundary), ['minute 1 2'])
  t.deepEqual(await prune(boundary + 5 * hourMs, boundary), [])
  // A longer retention brings nothing back, and what is asked for is the range of a report.
  t.deepEqual(await readDropped(catalogue, day + dayMs + 5, day + 2 * dayMs), {
    minute: days(1, 2),
    hour: [],
  })
  const later = day + 200 * dayMs
  await prune(later, later)
  t.deepEqual(await dropped(), { minute: days(0, 12), hour: days(0, 12) })
  t.deepEqual(await prune(later + hourMs, later), ['minute 3 12', 'hour 0 12'])
})

test('an import of old clicks is kept for as long as new ones are', async (t) => {
  const { publish, prune, dropped } = await setUp(t)
  const imported = day + 100 * dayMs
  await publish(day + 3 * hourMs, imported)
  await publish(day + 4 * hourMs, imported + dayMs)
  await prune(imported + 7 * dayMs, imported)
  t.deepEqual(await dropped(), { minute: [], hour: [] })
  await prune(imported + 8 * dayMs, imported)
  t.deepEqual(await dropped(), { minute: days(0, 1), hour: [] })
})
