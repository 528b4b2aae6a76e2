// What rollups must not change, run over every OLAP adapter: whatever grain answers, the answer is the
// naive one over the clicks of each side. Minutes, hours and days come and go as publication says.
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { TestFn } from 'ava'
import fc from 'fast-check'
import { comparePositions, positionOf, type SortKey, totalOrder } from '#core/report-order.ts'
import type { Dropped, ReportQuery, ReportRow } from '#core/report-query.ts'
import type { OlapContract, OlapParts } from '#platform/olap/contract.ts'
import { until } from '#platform/wait.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { metricNames } from '#schemas/metrics.ts'
import { dayMs, hourMs, hourOf, minuteMs } from '#schemas/paths.ts'
import { type Status, statuses } from '#schemas/verdicts.ts'
import { createNaiveOlap, type NaiveClick } from '../../serving/testing/naive-olap.ts'
import { answersDuring } from './answers-during.ts'
import { blankClick } from './blank-clicks.ts'
import { seed } from './random-clicks.ts'
import { loadClicks, showHours } from './staged.ts'

/** New York puts its clocks back on the second day. */
const start = Date.UTC(2026, 9, 31)
const days = 3
const end = start + days * dayMs

/** In every fourth hour only: the hours between stay without rows. */
const randomClick: fc.Arbitrary<JudgedClick> = fc
  .record({
    hour: fc.integer({ min: 0, max: days * 6 - 1 }),
    within: fc.integer({ min: 0, max: hourMs - 1 }),
    ad_id: fc.constantFrom('ad-1', 'ad-2', 'ad-3'),
    country: fc.constantFrom('US', 'IL', ''),
    city: fc.constantFrom('', "L'Aquila", 'Żory', 'a%_!b', 'ﾆｯﾎﾟﾝ', '🏙'),
    device_type: fc.constantFrom('mobile', 'desktop'),
    visitor: fc.constantFrom('', 'v1', 'v2', 'v3', 'v4', 'v5'),
    ip_hash: fc.constantFrom('', 'i1', 'i2'),
    status: fc.constantFrom(...statuses),
  })
  .map(({ hour, within, ...fields }) => {
    const time = start + hour * 4 * hourMs + within
    return { ...blankClick, event_id: randomUUID(), event_time: time, judged_time: time, ...fields }
  })

/** One on each day of the week in which the others begin. */
const wholeWeek = [1, 2, 3, 4, 5].map((day): JudgedClick => {
  const time = start - day * dayMs
  return { ...blankClick, event_id: randomUUID(), event_time: time, judged_time: time }
})

const sample = (count: number, salt = 0) =>
  fc.sample(randomClick, { numRuns: count, seed: seed + salt })

const everything: ReportQuery = {
  ...{ start, end, boundary: end, granularity: 'all', timeZone: 'UTC' },
  ...{ dimensions: [], filters: [], metrics: metricNames, limit: 10_000 },
}

const randomQuery: fc.Arbitrary<ReportQuery> = fc
  .record({
    from: fc.integer({ min: 0, max: (days - 1) * 1440 }),
    length: fc.integer({ min: 1, max: days * 1440 }),
    align: fc.constantFrom(1, 60, 1440),
    boundaryHour: fc.integer({ min: 0, max: days * 24 }),
    granularity: fc.constantFrom('minute' as const, 'hour', 'day', 'week', 'month', 'all'),
    timeZone: fc.constantFrom('UTC', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe'),
    dimensions: fc.shuffledSubarray([...dimensionNames], { maxLength: 4 }),
    metrics: fc.shuffledSubarray([...metricNames], { minLength: 1 }),
    values: fc.subarray(['ad-1', 'ad-2']),
    by: fc.array(fc.record({ place: fc.nat(), descending: fc.boolean() }), { maxLength: 4 }),
  })
  .map(({ from, length, align, boundaryHour, values, by, ...rest }) => {
    const sortable = ['time' as const, ...rest.dimensions, ...rest.metrics]
    const floor = (minute: number) => Math.floor(minute / align) * align
    const first = start + floor(from) * minuteMs
    return {
      ...everything,
      ...rest,
      start: first,
      end: first + Math.max(align, floor(length)) * minuteMs,
      boundary: start + boundaryHour * hourMs,
      order: by.map(
        ({ place, descending }): SortKey => ({
          by: sortable[place % sortable.length] ?? 'time',
          descending,
        }),
      ),
      filters: values.length > 0 ? [{ dimension: 'ad_id', kind: 'in', values }] : [],
    }
  })

/** The answer in pages, each after the last row of the one before. */
async function pages({ store }: OlapParts, query: ReportQuery, limit: number) {
  const order = totalOrder(query)
  const rows: ReportRow[] = []
  for (;;) {
    const last = rows.at(-1)
    const after = last ? { after: positionOf(order, last) } : {}
    const page = await store.query({ ...query, ...after, limit })
    rows.push(...page)
    if (page.length < limit || order.length === 0) return rows
    if (rows.length > query.limit) throw new Error(`pages without end: ${JSON.stringify(query)}`)
  }
}

/** Each row comes after the one before, in the store's order of texts. */
function isOrdered(rows: readonly ReportRow[], query: ReportQuery, contract: OlapContract) {
  const order = totalOrder(query)
  const { sortKey = (text: string) => text } = contract
  const at = rows.map((row) =>
    positionOf(order, row).map((value) => (typeof value === 'string' ? sortKey(value) : value)),
  )
  return at.every(
    (position, i) => i === 0 || comparePositions(order, at[i - 1] ?? [], position) < 0,
  )
}

const byKey = (rows: readonly ReportRow[]) =>
  rows.map((row) => JSON.stringify([row.time, row.dimensions, row.metrics])).sort()

async function naively(query: ReportQuery, batch: readonly JudgedClick[]) {
  const olap = createNaiveOlap()
  olap.batch.push(...batch.map((c): NaiveClick => ({ ...c, status: c.status as Status })))
  return byKey(await olap.query(query))
}

const codeOf = (error: unknown) => (error as { code?: string }).code

export function testRollupContract(test: TestFn, name: string, contract: OlapContract): void {
  test(`${name}: whatever grain answers, the answer is the naive one, in its order, page by page`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await contract.open(t)
    const clicks = sample(500)
    await loadClicks(parts, 'run-1', clicks)
    const check = async (query: ReportQuery) => {
      const expected = await naively(query, clicks)
      const limit = Math.max(1, Math.ceil(expected.length / 3))
      const shown = await pages(parts, query, limit)
      t.deepEqual(byKey(shown), expected, JSON.stringify(query))
      t.true(isOrdered(shown, query, contract), JSON.stringify(query))
    }
    await fc.assert(fc.asyncProperty(randomQuery, check), { seed, numRuns: 60 })
  })

  test(`${name}: an hour that is replaced changes its day, and no other`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await contract.open(t)
    const byDay = { ...everything, granularity: 'day' as const }
    let clicks = sample(300)
    await loadClicks(parts, 'run-1', clicks)
    const hour = start + dayMs + 8 * hourMs
    const others = clicks.filter((c) => hourOf(c.event_time) !== hour)
    const next = sample(400, 1).filter((c) => hourOf(c.event_time) === hour)
    t.true(next.length > 0 && others.length < clicks.length)
    clicks = [...others, ...next]
    await loadClicks(parts, 'run-2', next)
    t.deepEqual(byKey(await parts.store.query(byDay)), await naively(byDay, clicks))
    await showHours(parts.store, [{ hour, run: 'run-3', files: [] }])
    t.deepEqual(byKey(await parts.store.query(byDay)), await naively(byDay, others))
    const emptied = others.filter((c) => c.event_time < start || c.event_time >= start + dayMs)
    const first = new Set(
      others.filter((c) => !emptied.includes(c)).map((c) => hourOf(c.event_time)),
    )
    await showHours(
      parts.store,
      [...first].map((at) => ({ hour: at, run: 'run-4', files: [] })),
    )
    t.deepEqual(byKey(await parts.store.query(byDay)), await naively(byDay, emptied))
  })

  test(`${name}: what is dropped is refused, and coarser grains stay and can be replaced`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await contract.open(t)
    const { store } = parts
    const clicks = sample(300)
    const loads = await loadClicks(parts, 'run-1', clicks)
    const kept = { minute: start + 2 * dayMs, hour: start + dayMs }
    const dropped: Dropped = {
      minute: [{ start, end: kept.minute }],
      hour: [{ start, end: kept.hour }],
    }
    const drop = async () => {
      for (const range of dropped.minute) await store.dropBatch('minute', range)
      for (const range of dropped.hour) await store.dropBatch('hour', range)
    }
    await drop()
    const ask = async (query: ReportQuery, truth: readonly JudgedClick[]) =>
      t.deepEqual(byKey(await store.query({ ...query, dropped })), await naively(query, truth))
    const byDay = { ...everything, granularity: 'day' as const }
    const byHour = { ...everything, start: kept.hour, granularity: 'hour' as const }
    const byMinute = { ...everything, start: kept.minute, granularity: 'minute' as const }
    for (const query of [byDay, byHour, byMinute]) {
      await ask(query, clicks)
      if (query === byDay) continue
      const early = store.query({ ...query, start: query.start - hourMs, dropped })
      t.is(codeOf(await t.throwsAsync(early)), 'not-kept')
    }
    // An hour of the first day, of which only the day is left.
    const hour = start + 4 * hourMs
    const next = sample(400, 1).filter((c) => hourOf(c.event_time) === hour)
    const after = [...clicks.filter((c) => hourOf(c.event_time) !== hour), ...next]
    const replaced = await loadClicks(parts, 'run-2', next)
    await ask(byDay, after)
    // Dropped again: nothing of them counts as missing where only coarser rows are asked for.
    await drop()
    await ask(byDay, after)
    const now = [...loads.filter((l) => l.hour !== hour), ...replaced]
    const old = now.filter((l) => l.hour < kept.hour)
    t.is((await store.loadedHours(old, 'day')).length, old.length)
    const middle = now.filter((l) => l.hour >= kept.hour && l.hour < kept.minute)
    t.is((await store.loadedHours(middle, 'hour')).length, middle.length)
    const gone = old.map((l) => ({ ...l, run: 'run-0' }))
    t.deepEqual(await store.loadedHours(gone, 'day'), [])
  })

  test(`${name}: hours that arrive for the first time are in no answer before they are published`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await contract.open(t)
    const all = sample(300)
    const second = { start: start + dayMs, end: start + 2 * dayMs }
    const arriving = [second]
    const isPublished = (c: JudgedClick) =>
      c.event_time < second.start || c.event_time >= second.end
    const published = all.filter(isPublished)
    await loadClicks(parts, 'run-1', published)
    const queries = [
      { ...everything, granularity: 'minute' as const },
      { ...everything, granularity: 'hour' as const, metrics: ['click_count' as const] },
      { ...everything, dimensions: ['ad_id' as const] },
      { ...everything, ...second, granularity: 'day' as const },
    ]
    const ask = (more: Partial<ReportQuery>) =>
      Promise.all(
        queries.map(async (query) => byKey(await parts.store.query({ ...query, ...more }))),
      )
    const naive = (clicks: readonly JudgedClick[]) =>
      Promise.all(queries.map((query) => naively(query, clicks)))
    const before = await naive(published)
    const answers = await answersDuring(
      async () => {
        const rest = all.filter((c) => !isPublished(c))
        await loadClicks(parts, 'run-2', rest)
      },
      () => ask({ arriving }),
    )
    t.true(answers.length > 0)
    t.deepEqual(
      answers.filter((answer) => !isDeepStrictEqual(answer, before)),
      [],
    )
    t.deepEqual(await ask({}), await naive(all))
    await fc.assert(
      fc.asyncProperty(randomQuery, async ({ order, ...query }) => {
        const got = byKey(await parts.store.query({ ...query, arriving }))
        t.deepEqual(got, await naively({ ...query, arriving }, all), JSON.stringify(query))
      }),
      { seed, numRuns: 20 },
    )
  })

  test(`${name}: joined to larger pieces, answers stay, and an hour of them can be replaced`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await contract.open(t)
    const { store } = parts
    const byDay = { ...everything, granularity: 'day' as const, dimensions: ['ad_id' as const] }
    const pieces = { everyMs: 100, what: 'everything is joined' }
    const joinAll = () => until(async () => !(await store.compactBefore(end)), pieces)
    const first = sample(300)
    await loadClicks(parts, 'run-1', first)
    const hour = start + 8 * hourMs
    const next = sample(400, 1).filter((c) => hourOf(c.event_time) === hour)
    const clicks = [...first.filter((c) => hourOf(c.event_time) !== hour), ...next]
    const [before, after] = [await naively(byDay, first), await naively(byDay, clicks)]
    t.notDeepEqual(before, after)
    const ask = async () => byKey(await store.query(byDay))
    const answers = await answersDuring(async () => {
      await joinAll() // of a week that began before there was anything
      await loadClicks(parts, 'run-0', wholeWeek)
      await joinAll()
      t.deepEqual(await ask(), before)
      await loadClicks(parts, 'run-2', next)
      t.deepEqual(await ask(), after)
      await joinAll()
    }, ask)
    const torn = answers.filter((a) => ![before, after].some((b) => isDeepStrictEqual(a, b)))
    t.deepEqual(torn, [])
    const check = async (query: ReportQuery) =>
      t.deepEqual(byKey(await store.query(query)), await naively(query, clicks))
    await fc.assert(
      fc.asyncProperty(randomQuery, ({ order, ...query }) => check(query)),
      { seed, numRuns: 20 },
    )
  })
}
