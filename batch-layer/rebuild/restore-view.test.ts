import test from 'ava'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { restoreBatchView } from './restore-view.ts'

test('what was dropped is not missed, what coarser rows miss is loaded again', async (t) => {
  const catalogue = await openTestCatalogue(t)
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ('run', 'seal', 'done', '', 1, 0, '')`,
  )
  for (const hour of [0, dayMs, dayMs + hourMs, 2 * dayMs, 2 * dayMs + hourMs]) {
    await catalogue.query(
      `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies)
       VALUES ('run', $1, 1, 1, '["f"]', 1, 0, 0, 0)`,
      [hour],
    )
    await catalogue.query(
      `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
       VALUES ($1, 'run', 1, 1, 0)`,
      [hour],
    )
  }
  for (const [grain, day] of [
    ['minute', 0] as const,
    ['hour', 0] as const,
    ['minute', dayMs] as const,
  ]) {
    await catalogue.query(
      'INSERT INTO dropped_days (grain, day, recorded_at, dropped_at) VALUES ($1, $2, 0, 0)',
      [grain, day],
    )
  }
  const asked = new Map<string, number[]>()
  const again: number[] = []
  const lost = new Set([dayMs + hourMs, 2 * dayMs])
  const olap: Pick<OlapStore, 'loadedHours' | 'replaceHours'> = {
    async loadedHours(loads: readonly HourLoad[], finest = 'minute') {
      const hours = loads.map(({ hour }) => hour)
      asked.set(finest, hours)
      return hours.filter((hour) => !lost.has(hour))
    },
    async replaceHours(loads) {
      again.push(...loads.map(({ hour }) => hour))
    },
  }
  t.is(await restoreBatchView(catalogue, olap as OlapStore), 2)
  t.deepEqual(Object.fromEntries(asked), {
    day: [0],
    hour: [dayMs, dayMs + hourMs],
    minute: [2 * dayMs, 2 * dayMs + hourMs],
  })
  t.deepEqual(
    again.sort((a, b) => a - b),
    [...lost],
  )
})
