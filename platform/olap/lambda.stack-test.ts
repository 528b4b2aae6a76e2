// The promise of the two views on Druid: one query, one bucket for each key across the boundary, and
// a boundary that moves under a reader shows the old answer or the new one and nothing else.
import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { answersDuring } from '../../tests/support/answers-during.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { openDruid } from '../../tests/support/druid.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { loadClicks, showJudged } from '../../tests/support/staged.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { until } from '../wait.ts'
import type { OlapStore } from './port.ts'

const start = Date.UTC(2026, 0, 5, 10)
const hours = 4
/** Clicks of one hour: `visitors` of them by names that begin with `who`, on two ads. */
const clicksOf = (hour: number, count: number, who: string): JudgedClick[] =>
  Array.from({ length: count }, (_, i) => {
    const time = start + hour * hourMs + (i % 60) * minuteMs
    return {
      ...blankClick,
      event_id: randomUUID(),
      event_time: time,
      judged_time: time,
      advertiser_id: 'adv-1',
      ad_id: `ad-${i % 2}`,
      status: 'valid',
      visitor: `${who}-${i}`,
    }
  })

const everything: ReportQuery = {
  start,
  end: start + hours * hourMs,
  boundary: start,
  granularity: 'all',
  timeZone: 'UTC',
  dimensions: [],
  filters: [],
  metrics: ['click_count', 'unique_user_count'],
  limit: 1_000,
}

/** Loads all hours with so many clicks each. */
async function loadAll(
  parts: { store: OlapStore; objects: ObjectStore },
  run: string,
  each: number,
) {
  const clicks = Array.from({ length: hours }, (_, hour) => clicksOf(hour, each, 'v'))
  await loadClicks(parts, run, clicks.flat())
}

/** Speed has 100 clicks in each hour, batch 150: so no answer can be taken for another. */
async function fill(t: ExecutionContext) {
  const settings = stackSettings(t)
  const parts = await openDruid(t, settings)
  const range = Array.from({ length: hours }, (_, hour) => hour)
  const speed = range.flatMap((hour) => clicksOf(hour, 100, 'v'))
  await Promise.all([showJudged(parts, speed), loadAll(parts, 'run-1', 150)])
  return { ...parts, settings }
}

test.serial('one native query answers over both views, with one bucket for each key', async (t) => {
  const { store } = await fill(t)
  const query = {
    ...everything,
    boundary: start + 2 * hourMs,
    granularity: 'day' as const,
    dimensions: ['ad_id' as const],
  }
  t.deepEqual(
    (await store.query(query)).map((row) => [row.dimensions.ad_id, row.metrics.click_count]),
    [
      ['ad-0', 2 * 75 + 2 * 50],
      ['ad-1', 2 * 75 + 2 * 50],
    ],
  )
})

test.serial('uniques merge across the boundary: the same visitors count once', async (t) => {
  const { store } = await fill(t)
  const uniques = async (boundary: number) =>
    (await store.query({ ...everything, boundary }))[0]?.metrics.unique_user_count ?? 0
  // 150 visitors in batch, 100 of them also in speed.
  const [speed, both, batch] = [
    await uniques(everything.start),
    await uniques(start + 2 * hourMs),
    await uniques(everything.end),
  ]
  const near = (value: number, truth: number) => Math.abs(value - truth) <= truth * 0.05
  t.true(near(speed, 100) && near(both, 150) && near(batch, 150), `${[speed, both, batch]}`)
})

test.serial('a reader sees the old answer or the new one while the boundary moves', async (t) => {
  const { store, objects } = await fill(t)
  /** What each boundary has to answer: 150 an hour below it, 100 above. */
  const right = (boundary: number, perHour: number) => {
    const below = (boundary - start) / hourMs
    return below * perHour + (hours - below) * 100
  }
  let boundary = start
  let reading = true
  const seen: { asked: number; count: number }[] = []
  const ask = async () => {
    const asked = boundary
    const [row] = await store.query({ ...everything, boundary: asked, metrics: ['click_count'] })
    seen.push({ asked, count: row?.metrics.click_count ?? 0 })
  }
  const readers = Array.from({ length: 4 }, async () => {
    while (reading) await ask()
  })
  const untilRead = async () => {
    const before = seen.length
    await until(() => seen.length >= before + 20, { what: 'readers go on' })
  }
  for (let hour = 0; hour <= hours; hour++) {
    boundary = start + hour * hourMs
    await untilRead()
  }
  boundary = start
  await untilRead()
  // Loading above the boundary changes no answer, until the boundary moves over all of it at once.
  await loadAll({ store, objects }, 'run-2', 170)
  const loadedAt = seen.length
  boundary = everything.end
  await untilRead()
  reading = false
  await Promise.all(readers)
  const wrong = seen.filter(
    ({ asked, count }, i) => count !== right(asked, i < loadedAt || asked === start ? 150 : 170),
  )
  t.log(`${seen.length} answers`)
  t.deepEqual(wrong, [])
})

// Answers are vouched for in two ways: of sums alone, by the segments that they name.
for (const metrics of [everything.metrics, ['click_count'] as const]) {
  test.serial(
    `hours below the boundary change one by one, whole, never refused: ${metrics}`,
    async (t) => {
      const { store, objects } = await fill(t)
      const query = {
        ...everything,
        metrics,
        boundary: everything.end,
        granularity: 'hour' as const,
      }
      const ask = async () => (await store.query(query)).map((row) => row.metrics.click_count ?? 0)
      const seen = await answersDuring(async () => {
        await loadAll({ store, objects }, 'run-2', 170)
        await loadAll({ store, objects }, 'run-3', 190)
      }, ask)
      t.log(`${seen.length} answers`)
      t.true(seen.length > 5)
      const whole = (row: readonly number[]) =>
        row.length === hours && row.every((count) => [150, 170, 190].includes(count))
      t.deepEqual(
        seen.filter((row) => !whole(row)),
        [],
      )
      t.deepEqual(await ask(), [190, 190, 190, 190])
    },
  )
}
