import test from 'ava'
import fc from 'fast-check'
import { bucketStart } from '#core/buckets.ts'
import type { Granularity } from '#core/report-query.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { boundary, type Fixture, openFixture } from '../testing/fixture.ts'
import { previousRange, shiftBack } from './previous.ts'

type Of<A> = A extends fc.Arbitrary<infer T> ? T : never

const timeseries = '/v1/reports/clicks/timeseries'
const zones = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'Australia/Lord_Howe']
const iso = (time: number) => new Date(time).toISOString()

async function ask({ inject }: Fixture, query: Record<string, string>, url = timeseries) {
  const answer = await inject({ url, query }, 'admin')
  return { status: answer.statusCode, ...answer.json() }
}

const ranges = fc.record({
  day: fc.integer({ min: 0, max: 700 }),
  days: fc.integer({ min: 1, max: 70 }),
  minutes: fc.constantFrom(0, 60, 135),
  timeZone: fc.constantFrom(...zones),
})
const midnight = (day: number, zone: string) =>
  bucketStart(Date.UTC(2025, 0, 1, 12) + day * dayMs, 'day', zone)

test('the period before is as long in the calendar, ends where the other begins, and its buckets match', (t) => {
  t.log(`seed ${seed}`)
  const granularity = fc.constantFrom<Granularity>('day', 'week', 'month')
  const check = (size: Granularity, { day, days, minutes, timeZone }: Of<typeof ranges>) => {
    const start = bucketStart(midnight(day, timeZone), size, timeZone)
    const end = midnight(day + days, timeZone) + minutes * minuteMs
    const asked = { start, end, granularity: size, timeZone }
    const before = previousRange(asked)
    t.true(before.start < before.end && before.end <= start)
    const shift = shiftBack(asked)
    for (let time = start; time < end; time = bucketStart(time + 32 * dayMs, size, timeZone)) {
      t.is(bucketStart(shift(time), size, timeZone), shift(time), 'a bucket begins there')
    }
    // The place after the range is the place after the period before, where both are whole buckets.
    if (bucketStart(end, size, timeZone) === end) t.is(before.end, start)
  }
  fc.assert(fc.property(granularity, ranges, check), { seed, numRuns: 300 })
})

test('a month stands beside the month before it, a short day beside a long one', (t) => {
  const months = { granularity: 'month' as const, timeZone: 'UTC' }
  const march = { start: Date.UTC(2026, 2, 1), end: Date.UTC(2026, 3, 1), ...months }
  t.deepEqual(previousRange(march), { start: Date.UTC(2026, 1, 1), end: march.start })
  const toThe31st = { ...march, end: Date.UTC(2026, 2, 31, 5) }
  t.is(iso(previousRange(toThe31st).end), '2026-02-28T05:00:00.000Z')
  const berlin = { granularity: 'day' as const, timeZone: 'Europe/Berlin' }
  const short = { start: midnight(452, 'Europe/Berlin'), end: midnight(453, 'Europe/Berlin') }
  t.is(short.end - short.start, 23 * hourMs)
  t.is(iso(previousRange({ ...short, ...berlin }).start), '2026-03-27T23:00:00.000Z')
})

test('each row has the counts of the same bucket before: the same as asking for it', async (t) => {
  t.log(`seed ${seed}`)
  const fixture = await openFixture(t)
  const clicks = fc.sample(
    fc.record({
      minute: fc.integer({ min: 0, max: 20 * 1440 }),
      country: fc.constantFrom('US', 'IL', 'DE'),
      visitor: fc.constantFrom('v1', 'v2', 'v3'),
    }),
    { seed, numRuns: 600 },
  )
  const first = boundary - 20 * dayMs
  for (const { minute, ...fields } of clicks) {
    const click = { event_time: first + minute * minuteMs, status: 'valid' as const, ...fields }
    fixture.olap.batch.push(click)
  }
  const cases = fc.record({
    granularity: fc.constantFrom('hour', 'day', 'week', 'all'),
    zone: fc.constantFrom('UTC', 'Europe/Berlin'),
    dimensions: fc.constantFrom('', 'country'),
    order: fc.constantFrom('', '-time', '-click_count'),
    limit: fc.constantFrom('7', '1000'),
  })
  const check = async ({ granularity, zone, ...rest }: Of<typeof cases>) => {
    const query = {
      ...{ granularity, time_zone: zone, metrics: 'click_count,unique_user_count', ...rest },
      ...{ start_time: '2026-11-12', end_time: '2026-11-20', compare_to: 'previous_period' },
    }
    const { data, meta } = await ask(fixture, query)
    t.is(meta.previous.end_time.slice(0, 10), granularity === 'week' ? '2026-11-06' : '2026-11-12')
    const { compare_to, ...alone } = { ...query, order: '', limit: '1000' }
    const range = { start_time: meta.previous.start_time, end_time: meta.previous.end_time }
    const before = (await ask(fixture, { ...alone, ...range })).data
    const back = granularity === 'week' ? 14 : 8
    for (const row of data) {
      const day = iso(Date.parse(`${row.time.slice(0, 10)}T00:00:00Z`) - back * dayMs).slice(0, 10)
      const match = before.find(
        (b: Record<string, string>) =>
          (granularity === 'all' || b.time?.slice(0, 16) === `${day}${row.time.slice(10, 16)}`) &&
          b.country === row.country,
      )
      t.is(row.previous_click_count, match?.click_count ?? 0, JSON.stringify([query, row]))
      t.is(row.previous_unique_user_count, match?.unique_user_count ?? 0)
      t.is(row.previous_provenance, 'final')
    }
  }
  await fc.assert(fc.asyncProperty(cases, check), { seed, numRuns: 40 })
})

test('topN compares each value with itself before', async (t) => {
  const fixture = await openFixture(t)
  for (const [hour, country] of [
    [-30, 'US'],
    [-30, 'US'],
    [-2, 'US'],
    [-2, 'IL'],
    [-2, 'IL'],
  ] as const) {
    fixture.olap.batch.push({ event_time: boundary + hour * hourMs, status: 'valid', country })
  }
  const query = { dimension: 'country', compare_to: 'previous_period', metrics: 'click_count' }
  const { data } = await ask(fixture, query, '/v1/reports/clicks/topN')
  t.deepEqual(
    data.map((row: Record<string, unknown>) => [
      row.country,
      row.click_count,
      row.previous_click_count,
    ]),
    [
      ['IL', 2, 0],
      ['US', 1, 2],
    ],
  )
  t.is(fixture.olap.queries.length, 2)
})

test('a zero-filled series has every bucket once, and the counts of the one that is not', async (t) => {
  t.log(`seed ${seed}`)
  const fixture = await openFixture(t)
  const sample = fc.sample(fc.integer({ min: 0, max: 400 * 24 }), { seed, numRuns: 60 })
  for (const [i, hour] of sample.entries()) {
    const event_time = Date.UTC(2025, 0, 1) + hour * hourMs
    fixture.olap.batch.push({ event_time, status: 'valid', country: i % 2 ? 'US' : 'IL' })
  }
  const cases = fc.record({
    range: ranges,
    granularity: fc.constantFrom<Granularity>('hour', 'day', 'week', 'month', 'all'),
    dimensions: fc.constantFrom('', 'country'),
    order: fc.constantFrom('', '-time'),
  })
  const check = async ({ range, granularity, dimensions, order }: Of<typeof cases>) => {
    const { timeZone, day, days, minutes } = range
    const start = midnight(day, timeZone)
    const end = midnight(day + days, timeZone) + minutes * minuteMs
    const query = {
      ...{ granularity, dimensions, order, time_zone: timeZone, metrics: 'click_count' },
      ...{ start_time: iso(start), end_time: iso(end) },
    }
    const plain = (await ask(fixture, query)).data
    const { data, meta } = await ask(fixture, { ...query, zero_fill: 'true' })
    const buckets = new Set<number>()
    for (let time = start; time < end; time += 30 * minuteMs) {
      buckets.add(bucketStart(time, granularity === 'all' ? 'all' : granularity, timeZone))
      if (granularity === 'all') break
    }
    const combos =
      dimensions === '' ? 1 : new Set(plain.map((r: { country: string }) => r.country)).size
    t.is(data.length, buckets.size * combos, JSON.stringify(query))
    const keyOf = (row: Record<string, unknown>) => `${row.time} ${row.country}`
    t.is(new Set(data.map(keyOf)).size, data.length)
    t.deepEqual(
      data.filter((row: Record<string, number>) => row.click_count),
      plain,
    )
    const times = data.map((row: { time: string }) => Date.parse(row.time))
    const sorted = times.toSorted((a: number, b: number) => (order === '' ? a - b : b - a))
    t.deepEqual(times, sorted)
    t.is(meta.next, null)
  }
  await fc.assert(fc.asyncProperty(cases, check), { seed, numRuns: 60 })
})

const refused: [Record<string, string>, number, RegExp][] = [
  [{ zero_fill: 'true', limit: '3' }, 422, /^zero_fill: .* raise limit/],
  [{ zero_fill: 'true', order: '-click_count' }, 400, /^order: with zero_fill/],
  [{ zero_fill: 'yes' }, 400, /^zero_fill must be boolean/],
  [{ compare_to: 'previous_year' }, 400, /^compare_to must be .*previous_period/],
  [{ order: 'clicks' }, 400, /^order: "clicks" should look like -click_count,time/],
  [{ order: 'city' }, 400, /^order: "city" is not in the answer; add it to dimensions/],
  [{ order: '-unique_user_count' }, 400, /^order: .* add it to metrics/],
  [{ order: '--time' }, 400, /^order: "--time"/],
  [
    { start_time: '1970-01-01', end_time: '1970-01-02', compare_to: 'previous_period' },
    400,
    /^compare_to: .*1970/,
  ],
]
for (const [query, expected, detail] of refused) {
  test(`says what is wrong: ${JSON.stringify(query)}`, async (t) => {
    const { status, ...problem } = await ask(await openFixture(t), query)
    t.is(status, expected)
    t.regex(problem.detail, detail)
  })
}
