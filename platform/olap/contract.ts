// The contract of an OLAP store, run unchanged over every adapter: what it answers equals the
// naive aggregation of the clicks that each side holds.
import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { ExecutionContext, TestFn } from 'ava'
import fc from 'fast-check'
import { bucketStart } from '#core/buckets.ts'
import { aggregateByMinute, type MinuteAggregate } from '#core/minute-aggregates.ts'
import type { Filter, ReportQuery, ReportRow } from '#core/report-query.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { type MetricName, metricNames, sumMetrics } from '#schemas/metrics.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { statuses } from '#schemas/verdicts.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { showHours, showJudged, stageClicks } from '../../tests/support/staged.ts'
import type { EventLog } from '../event-log/port.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { until } from '../wait.ts'
import type { HourLoad, OlapStore } from './port.ts'

export interface OlapParts {
  readonly store: OlapStore
  readonly log: EventLog
  readonly objects: ObjectStore
}

export interface OlapContract {
  /** Opens an empty store; `reopen` closes it and opens it again. */
  open(t: ExecutionContext): Promise<OlapParts & { reopen(): Promise<OlapStore> }>
  /** A text whose UTF-8 bytes sort as the store sorts the given text; itself where that is left out. */
  sortKey?(text: string): string
}

/** Berlin's midnight, before the night in which it puts its clocks back. */
const start = Date.UTC(2026, 9, 24, 22)
const hours = 4
const randomJudged: fc.Arbitrary<JudgedClick> = fc
  .record({
    event_time: fc.integer({ min: start, max: start + hours * hourMs - 1 }),
    advertiser_id: fc.constantFrom('adv-1', "o'adv"),
    ad_id: fc.constantFrom('ad-1', 'ad-2', 'ad-3'),
    country: fc.constantFrom('US', 'IL', ''),
    device_type: fc.constantFrom('mobile', 'desktop'),
    visitor: fc.constantFrom('', 'v1', 'v2', 'v3', 'v4'),
    ip_hash: fc.constantFrom('', 'i1', 'i2'),
    status: fc.constantFrom(...statuses),
  })
  .map((fields) => ({
    ...blankClick,
    event_id: randomUUID(),
    judged_time: fields.event_time,
    ...fields,
  }))

const matches = (row: Readonly<Record<string, string>>, { dimension, kind, values }: Filter) => {
  const value = row[dimension] ?? ''
  if (kind === 'prefix') return values.some((v) => value.startsWith(v))
  return values.includes(value) === (kind === 'in')
}

/** The answer, naively. */
function answerNaively(
  query: ReportQuery,
  batch: readonly JudgedClick[],
  speed: readonly JudgedClick[],
): ReportRow[] {
  const aggregate = (clicks: readonly JudgedClick[], from: number, to: number) =>
    aggregateByMinute(clicks.map((click) => ({ click, status: click.status as 'valid' }))).filter(
      (row) => row.minute >= from && row.minute < to,
    )
  const rows = [
    ...aggregate(batch, query.start, Math.min(query.end, query.boundary)),
    ...aggregate(speed, Math.max(query.start, query.boundary), query.end),
  ].filter((row) => query.filters.every((filter) => matches(row.dimensions, filter)))
  const { granularity, timeZone } = query
  const groups = Map.groupBy(rows, (row) => {
    const time =
      granularity === 'all' ? query.start : bucketStart(row.minute, granularity, timeZone)
    return JSON.stringify([time, ...query.dimensions.map((name) => row.dimensions[name])])
  })
  return [...groups].map(([key, group]) => {
    const [time, ...values] = JSON.parse(key)
    return {
      time,
      dimensions: Object.fromEntries(query.dimensions.map((name, i) => [name, values[i]])),
      metrics: sumUp(group, query.metrics),
    }
  })
}

function sumUp(group: readonly MinuteAggregate[], wanted: readonly MetricName[]) {
  const all: Record<string, number> = {
    unique_user_count: new Set(group.flatMap((row) => [...row.visitors])).size,
    unique_ip_count: new Set(group.flatMap((row) => [...row.ipHashes])).size,
  }
  for (const { name } of sumMetrics) {
    all[name] = group.reduce((sum, row) => sum + row.counts[name], 0)
  }
  return Object.fromEntries(wanted.map((name) => [name, all[name] ?? 0]))
}

const byKey = (rows: readonly ReportRow[]) =>
  rows.map((row) => JSON.stringify([row.time, row.dimensions, row.metrics])).sort()

const everything: ReportQuery = {
  start,
  end: start + hours * hourMs,
  boundary: start,
  granularity: 'all',
  timeZone: 'UTC',
  dimensions: [],
  filters: [],
  metrics: metricNames,
  limit: 10_000,
}

const randomQuery: fc.Arbitrary<ReportQuery> = fc
  .record({
    from: fc.integer({ min: 0, max: hours * 60 }),
    length: fc.integer({ min: 1, max: hours * 60 }),
    boundaryHour: fc.integer({ min: 0, max: hours }),
    granularity: fc.constantFrom('minute' as const, 'hour', 'day', 'week', 'month', 'all'),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/St_Johns'),
    dimensions: fc.subarray([...dimensionNames]),
    metrics: fc.subarray([...metricNames], { minLength: 1 }),
    filters: fc.array(
      fc.record({
        dimension: fc.constantFrom('ad_id' as const, 'advertiser_id' as const, 'country' as const),
        kind: fc.constantFrom('in' as const, 'not-in' as const, 'prefix' as const),
        values: fc.subarray(['ad-1', 'ad-', "o'adv", 'US', ''], { minLength: 1 }),
      }),
      { maxLength: 2 },
    ),
  })
  .map(({ from, length, boundaryHour, ...rest }) => ({
    ...everything,
    ...rest,
    start: start + from * minuteMs,
    end: start + (from + length) * minuteMs,
    boundary: start + boundaryHour * hourMs,
  }))

export function testOlapContract(test: TestFn, name: string, contract: OlapContract): void {
  const stageAll = async (
    { store, objects }: OlapParts,
    run: string,
    clicks: readonly JudgedClick[],
  ) => {
    const loads: HourLoad[] = []
    for (let hour = start; hour < start + hours * hourMs; hour += hourMs) {
      const mine = clicks.filter((c) => c.event_time >= hour && c.event_time < hour + hourMs)
      const files = mine.length > 0 ? [`runs/${run}/${hour}.parquet`] : []
      for (const file of files) await stageClicks(objects, file, mine)
      loads.push({ hour, run, files })
    }
    await showHours(store, loads)
    return loads
  }

  test(`${name}: both views, split at any boundary, answer like the naive model`, async (t) => {
    const parts = await contract.open(t)
    const sample = (n: number, salt: number) =>
      fc.sample(randomJudged, { numRuns: n, seed: seed + salt })
    const [speed, batch] = [sample(400, 1), sample(300, 2)]
    await showJudged(parts, speed)
    await stageAll(parts, 'run-1', batch)
    t.log(`seed ${seed}`)
    await fc.assert(
      fc.asyncProperty(randomQuery, async (query) => {
        const got = await parts.store.query(query)
        t.deepEqual(byKey(got), byKey(answerNaively(query, batch, speed)))
      }),
      { seed, numRuns: 40 },
    )
  })

  test(`${name}: replacing an hour again, or with nothing, leaves just the last`, async (t) => {
    const parts = await contract.open(t)
    const [first, second] = [1, 2].map((n) =>
      fc.sample(randomJudged, { numRuns: 80, seed: seed + n }),
    )
    await stageAll(parts, 'run-1', first ?? [])
    await stageAll(parts, 'run-2', second ?? [])
    await stageAll(parts, 'run-2', second ?? [])
    const query = {
      ...everything,
      boundary: everything.end,
      granularity: 'minute' as const,
      dimensions: dimensionNames,
    }
    t.deepEqual(
      byKey(await parts.store.query(query)),
      byKey(answerNaively(query, second ?? [], [])),
    )
    const emptied = [{ hour: start, run: 'run-3', files: [] }]
    await showHours(parts.store, emptied)
    const totals = await parts.store.hourTotals('batch', start, start + hourMs)
    t.deepEqual(totals, [])
  })

  test(`${name}: opened again it holds the same, and goes on where it was`, async (t) => {
    const parts = await contract.open(t)
    const clicks = fc.sample(randomJudged, { numRuns: 60, seed })
    await showJudged(parts, clicks.slice(0, 30))
    const store = await parts.reopen()
    await showJudged({ ...parts, store }, clicks.slice(30))
    t.deepEqual(byKey(await store.query(everything)), byKey(answerNaively(everything, [], clicks)))
    await until(async () => !(await store.dropSpeedBefore(start + 2 * hourMs)), {
      everyMs: 100,
      what: 'the store holds the dropped hours no longer',
    })
    const left = byKey(
      answerNaively(
        everything,
        [],
        clicks.filter((c) => c.event_time >= start + 2 * hourMs),
      ),
    )
    const show = async () => byKey(await store.query(everything))
    await until(async () => isDeepStrictEqual(await show(), left), {
      everyMs: 100,
      what: 'the dropped hours are gone',
    }).catch(() => {}) // told below, with the difference
    t.deepEqual(await show(), left)
  })

  test(`${name}: clicks older than the retention when judged stay out of the speed view`, async (t) => {
    const parts = await contract.open(t)
    const retentionMs = 7 * 24 * hourMs
    const clicks = fc.sample(randomJudged, { numRuns: 20, seed }).map((c, i) => ({
      ...c,
      judged_time: c.event_time + retentionMs + (i % 2),
    }))
    await showJudged(parts, clicks)
    const query = { ...everything, metrics: ['gross_click_count' as const] }
    t.is((await parts.store.query(query))[0]?.metrics.gross_click_count, 10)
  })

  test(`${name}: days, weeks and months begin at midnight of the time zone`, async (t) => {
    const parts = await contract.open(t)
    // New York leaves daylight saving time at 2026-11-01T06:00Z: that day has 25 hours.
    const times = [
      '2026-11-01T03:59Z',
      '2026-11-01T04:00Z',
      '2026-11-02T04:59Z',
      '2026-11-02T05:00Z',
    ]
    const click = (time: string) => ({
      ...blankClick,
      event_id: randomUUID(),
      event_time: Date.parse(time),
      judged_time: Date.parse(time),
      status: 'valid',
    })
    await showJudged(parts, times.map(click))
    const ask = async (granularity: ReportQuery['granularity']) => {
      const rows = await parts.store.query({
        ...everything,
        start: Date.UTC(2026, 9, 1),
        end: Date.UTC(2026, 11, 1),
        boundary: Date.UTC(2026, 9, 1),
        timeZone: 'America/New_York',
        granularity,
        metrics: ['click_count'],
      })
      return rows.map((row) => [
        new Date(row.time).toISOString().slice(0, 16),
        row.metrics.click_count,
      ])
    }
    t.deepEqual(await ask('day'), [
      ['2026-10-31T04:00', 1],
      ['2026-11-01T04:00', 2],
      ['2026-11-02T05:00', 1],
    ])
    t.deepEqual(await ask('week'), [
      ['2026-10-26T04:00', 3],
      ['2026-11-02T05:00', 1],
    ])
    t.deepEqual(await ask('month'), [
      ['2026-10-01T04:00', 1],
      ['2026-11-01T04:00', 3],
    ])
  })
}
