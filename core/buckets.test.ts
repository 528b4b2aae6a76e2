import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import {
  bucketEnd,
  bucketStart,
  canonicalZone,
  formatInstant,
  instantOf,
  parseInstant,
  zoneOffsetMs,
} from './buckets.ts'

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'America/Santiago',
  'Pacific/Apia',
]
const time = fc.integer({ min: Date.UTC(1990, 0, 1), max: Date.UTC(2035, 0, 1) })
const zone = fc.constantFrom(...zones)
const granularity = fc.constantFrom('minute' as const, 'hour', 'day', 'week', 'month')

test('every instant lies in its bucket', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(time, granularity, zone, (at, size, name) => {
      const start = bucketStart(at, size, name)
      return start <= at && at < bucketEnd(start, size, name)
    }),
    { seed, numRuns: 500 },
  )
  t.pass()
})

test('an instant survives being written and read', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(time, zone, zone, (at, name, other) => {
      return parseInstant(formatInstant(at, name), other) === at
    }),
    { seed, numRuns: 300 },
  )
  t.pass()
})

test('local time to instant and back', (t) => {
  t.log({ seed })
  fc.assert(
    fc.property(time, zone, (at, name) => {
      const local = at + zoneOffsetMs(at, name)
      const back = instantOf(local, name)
      // In the hour that clocks show twice there are two instants; both show the same local time.
      return back + zoneOffsetMs(back, name) === local
    }),
    { seed, numRuns: 300 },
  )
  t.pass()
})

test('instants are written as Date writes them', (t) => {
  const most = 8.64e15
  const instants = fc.oneof(
    fc.integer({ min: -most, max: most }),
    fc.integer({ min: -most / 60_000, max: most / 60_000 }).map((minute) => minute * 60_000),
  )
  fc.assert(
    fc.property(fc.array(instants), (all) => {
      for (const at of all) t.is(formatInstant(at, 'UTC'), new Date(at).toISOString())
    }),
    { seed },
  )
  t.throws(() => formatInstant(Number.NaN, 'UTC'), { instanceOf: RangeError })
})

test('known days, weeks and months', (t) => {
  const at = Date.UTC(2026, 2, 29, 12)
  const show = (ms: number) => formatInstant(ms, 'Europe/Berlin')
  const day = bucketStart(at, 'day', 'Europe/Berlin')
  t.is(show(day), '2026-03-29T00:00:00.000+01:00')
  t.is(show(bucketEnd(day, 'day', 'Europe/Berlin')), '2026-03-30T00:00:00.000+02:00')
  t.is(show(bucketStart(at, 'week', 'Europe/Berlin')), '2026-03-23T00:00:00.000+01:00')
  t.is(show(bucketStart(at, 'month', 'Europe/Berlin')), '2026-03-01T00:00:00.000+01:00')
  t.is(
    formatInstant(bucketStart(at, 'hour', 'Asia/Kolkata'), 'Asia/Kolkata'),
    '2026-03-29T17:00:00.000+05:30',
  )
})

test('texts that are no instants, zones that are none', (t) => {
  for (const text of ['', 'now', '2026', '2026-13-01', '2026-02-29', '2026-01-01T25:00', '1.5']) {
    t.is(parseInstant(text, 'UTC'), undefined, text)
  }
  t.is(parseInstant('2026-01-01T00:00:00 02:00', 'UTC'), Date.UTC(2025, 11, 31, 22))
  for (const name of ['', '+02:00', 'Mars/Base', "'; DROP"]) t.is(canonicalZone(name), undefined)
})
