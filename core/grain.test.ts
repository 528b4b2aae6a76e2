import test from 'ava'
import fc from 'fast-check'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { bucketStart } from './buckets.ts'
import {
  droppedPart,
  type GrainPart,
  mergeIntervals,
  planGrains,
  rangesOfDays,
  splitByGrain,
} from './grain.ts'
import { granularities } from './report-query.ts'

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe', // half an hour of daylight saving time
  'America/Santiago',
  'Pacific/Apia',
]
const steps = { minute: minuteMs, hour: hourMs, day: dayMs }
/** Around changes of daylight saving time, of all zones above. */
const base = fc.constantFrom(
  Date.UTC(2026, 2, 27),
  Date.UTC(2026, 9, 23),
  Date.UTC(2026, 3, 3),
  Date.UTC(2026, 10, 27),
)
const asked = fc
  .record({
    base,
    from: fc.integer({ min: 0, max: 2 * 1440 }),
    // Often on whole hours and days, or coarse rows would hardly be met.
    align: fc.constantFrom(1, 60, 1440),
    length: fc.integer({ min: 1, max: 9 * 1440 }),
    boundaryHour: fc.integer({ min: -2, max: 10 * 24 }),
    granularity: fc.constantFrom(...granularities),
    timeZone: fc.constantFrom(...zones),
  })
  .map(({ base: origin, from, align, length, boundaryHour, ...rest }) => {
    const floor = (minute: number) => Math.floor(minute / align) * align
    return {
      ...rest,
      start: origin + floor(from) * minuteMs,
      end: origin + (floor(from) + Math.max(align, floor(length))) * minuteMs,
      boundary: origin + boundaryHour * hourMs,
    }
  })

test('each minute lies in one part, parts are whole rows, and each row lies in one bucket', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(asked, (query) => {
      const { batch, speed } = splitByGrain(query)
      const pieces = [...batch, ...(speed ? [{ ...speed, grain: 'minute' as const }] : [])]
      let at = query.start
      for (const { start, end } of pieces) {
        if (start !== at || end <= start) return false
        at = end
      }
      if (at !== query.end) return false
      if (batch.some(({ end }) => end > query.boundary)) return false
      return batch.every(({ grain, start, end }) => {
        const step = steps[grain]
        if (start % step !== 0 || end % step !== 0) return false
        const bucket = (time: number) =>
          query.granularity === 'all' ? 0 : bucketStart(time, query.granularity, query.timeZone)
        for (let row = start; row < end; row += step) {
          // Every quarter hour: no zone changes in between.
          for (let time = row; time < row + step; time += 15 * minuteMs) {
            if (bucket(time) !== bucket(row)) return false
          }
        }
        return true
      })
    }),
    { seed, numRuns: 150 },
  )
  t.pass()
})

test('no row could be coarser', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(asked, (query) => {
      const { batch } = splitByGrain(query)
      const bucket = (time: number) =>
        query.granularity === 'all' ? 0 : bucketStart(time, query.granularity, query.timeZone)
      const grainAt = (time: number) => batch.find((p) => p.start <= time && time < p.end)?.grain
      const last = Math.min(query.end, query.boundary)
      for (const grain of ['day', 'hour'] as const) {
        const step = steps[grain]
        for (let row = Math.ceil(query.start / step) * step; row + step <= last; row += step) {
          const times = Array.from({ length: step / (15 * minuteMs) }, (_, i) => row + i * 900_000)
          if (!times.every((time) => bucket(time) === bucket(row))) continue
          // An hour is asked for by hour, whatever day it could be part of.
          if (query.granularity === 'minute') continue
          if (times.some((time) => grainAt(time) === 'minute')) return false
          if (grain === 'day' && times.some((time) => grainAt(time) !== 'day')) return false
        }
      }
      return true
    }),
    { seed, numRuns: 150 },
  )
  t.pass()
})

/** Ranges of hours from the day on in which a query begins. */
const hourRanges = fc.array(
  fc.record({ from: fc.nat(96), length: fc.integer({ min: 1, max: 40 }) }),
  { maxLength: 3 },
)

test('what is arriving is left out, but for hours of a day of which some are published', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(asked, hourRanges, (query, ranges) => {
      const origin = Math.floor(query.start / dayMs) * dayMs
      const arriving = mergeIntervals(
        ranges.map(({ from, length }) => ({
          ...{ start: origin + from * hourMs, end: origin + (from + length) * hourMs },
        })),
      )
      const { batch } = planGrains({ ...query, arriving })
      const whole = splitByGrain(query).batch
      const partAt = (parts: readonly GrainPart[], time: number) =>
        parts.find((part) => part.start <= time && time < part.end)
      for (let time = query.start; time < Math.min(query.end, query.boundary); time += minuteMs) {
        const grain = partAt(whole, time)?.grain ?? 'minute'
        const row = Math.floor(time / steps[grain]) * steps[grain]
        const isArriving = arriving.some(
          (hours) => hours.start <= row && hours.end >= row + steps[grain],
        )
        if (partAt(batch, time)?.grain !== (isArriving ? undefined : grain)) return false
      }
      return batch.every(
        ({ start, end, grain }, i) =>
          start < end &&
          start % steps[grain] === 0 &&
          end % steps[grain] === 0 &&
          (i === 0 || start >= (batch[i - 1]?.end ?? 0)),
      )
    }),
    { seed, numRuns: 60 },
  )
  t.pass()
})

const at = (text: string) => Date.parse(text)
const shown = (parts: readonly GrainPart[]) =>
  parts.map(
    (p) =>
      `${p.grain} ${new Date(p.start).toISOString().slice(5, 16)} ${new Date(p.end).toISOString().slice(5, 16)}`,
  )

test('a month from 03:20 until now reads minutes, hours, days and hours', (t) => {
  const query = {
    start: at('2026-01-03T03:20Z'),
    end: at('2026-02-10T09:30Z'),
    boundary: at('2026-02-10T07:00Z'),
    granularity: 'month' as const,
    timeZone: 'UTC',
  }
  const { batch, speed } = splitByGrain(query)
  t.deepEqual(shown(batch), [
    'minute 01-03T03:20 01-03T04:00',
    'hour 01-03T04:00 01-04T00:00',
    'day 01-04T00:00 02-10T00:00',
    'hour 02-10T00:00 02-10T07:00',
  ])
  t.deepEqual(speed, { start: query.boundary, end: query.end })
  t.deepEqual(shown(splitByGrain({ ...query, granularity: 'hour' }).batch), [
    'minute 01-03T03:20 01-03T04:00',
    'hour 01-03T04:00 02-10T07:00',
  ])
})

test('months of New York read days, but hours around their midnights', (t) => {
  const query = {
    start: at('2026-01-01T05:00Z'),
    end: at('2026-03-01T05:00Z'),
    boundary: at('2026-06-01T00:00Z'),
    granularity: 'month' as const,
    timeZone: 'America/New_York',
  }
  t.deepEqual(shown(splitByGrain(query).batch), [
    'hour 01-01T05:00 01-02T00:00',
    'day 01-02T00:00 02-01T00:00',
    'hour 02-01T00:00 02-02T00:00',
    'day 02-02T00:00 03-01T00:00',
    'hour 03-01T00:00 03-01T05:00',
  ])
})

test('a report is refused only where it needs what was dropped', (t) => {
  const dropped = {
    minute: [{ start: at('2026-01-01T00:00Z'), end: at('2026-02-01T00:00Z') }],
    hour: [{ start: at('2026-01-01T00:00Z'), end: at('2026-01-10T00:00Z') }],
  }
  const query = {
    start: at('2026-01-10T00:00Z'),
    end: at('2026-02-10T00:00Z'),
    boundary: at('2026-03-01T00:00Z'),
    timeZone: 'UTC',
  }
  const ask = (granularity: 'minute' | 'hour' | 'day', start = query.start) =>
    droppedPart(splitByGrain({ ...query, granularity, start }).batch, dropped)?.grain
  t.is(ask('hour'), undefined)
  t.is(ask('day', at('2026-01-01T00:00Z')), undefined)
  t.is(ask('minute'), 'minute')
  t.is(ask('minute', at('2026-02-01T00:00Z')), undefined)
  t.is(ask('hour', at('2026-01-09T23:00Z')), 'hour')
  t.is(ask('day', at('2026-01-12T03:20Z')), 'minute')
  t.is(ask('minute', at('2026-02-01T00:00Z')), undefined)
  const refused = t.throws(() => planGrains({ ...query, granularity: 'minute', dropped }))
  t.is(
    refused?.message,
    'By minute in UTC, 2026-01-10T00:00:00.000Z to 2026-02-10T00:00:00.000Z needs rows by minute, which are no longer kept for all of it.',
  )
  t.is(planGrains({ ...query, granularity: 'minute' }).batch.length, 1)
})

test('neighbouring days are one range', (t) => {
  t.deepEqual(rangesOfDays([0, dayMs, 3 * dayMs]), [
    { start: 0, end: 2 * dayMs },
    { start: 3 * dayMs, end: 4 * dayMs },
  ])
})
