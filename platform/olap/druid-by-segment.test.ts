import test from 'ava'
import fc from 'fast-check'
import type { ReportQuery } from '#core/report-query.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { readSettings } from '../config.ts'
import { bySegment, isBySegment, mergeSegments, segmentsRead } from './druid-by-segment.ts'
import { compileDruidQuery } from './druid-query.ts'
import { viewRanges } from './druid-ranges.ts'
import { druidNames, intervalOf } from './druid-specs.ts'

const names = druidNames(readSettings({ CLICKLEDGER_NAMESPACE: 'ns' }))
const start = Date.UTC(2026, 0, 5)
const query: ReportQuery = {
  ...{ start, end: start + 12 * hourMs, boundary: start + 6 * hourMs },
  ...{ granularity: 'minute', timeZone: 'UTC', dimensions: [], filters: [] },
  ...{ metrics: ['click_count', 'gross_click_count'], limit: 1_000 },
}
const asksSo = (more: Partial<ReportQuery>) => {
  const asked = { ...query, ...more }
  const ranges = viewRanges(asked)
  return isBySegment(asked, compileDruidQuery(asked, names, ranges), ranges)
}

test('short reports of sums in the order of time are asked segment by segment', (t) => {
  t.true(asksSo({}))
  t.true(asksSo({ order: [{ by: 'time', descending: true }] }))
  t.true(asksSo({ granularity: 'day', end: start + 100 * dayMs, boundary: start + 200 * dayMs }))
  t.false(asksSo({ metrics: ['click_count', 'unique_user_count'] }), 'sketches')
  t.false(asksSo({ granularity: 'all' }))
  t.false(asksSo({ dimensions: ['country'] }))
  t.false(asksSo({ order: [{ by: 'click_count', descending: true }] }))
  t.false(asksSo({ limit: 719 }), 'a page of the minutes')
  t.false(asksSo({ granularity: 'hour', end: start + 30 * dayMs }), 'too many segments')
})

test('its context is kept', (t) => {
  const { context } = bySegment({ context: { skipEmptyBuckets: true } })
  t.deepEqual(context, {
    skipEmptyBuckets: true,
    bySegment: true,
    secondaryPartitionPruning: false,
  })
})

const segmentOf = (segment: string, interval: string) => ({
  result: { segment, interval, results: [] },
})

test('segments are read from their names', (t) => {
  const version = '2026-01-06T00:00:00.000Z'
  const week = `ns_clicks_day_2026-01-05T00:00:00.000Z_2026-01-12T00:00:00.000Z_${version}`
  const part = { start: start + hourMs, end: start + dayMs }
  const interval = intervalOf(part.start, part.end)
  const answer = [
    segmentOf(week, interval),
    segmentOf(`${week}_12`, interval),
    segmentOf(week.replace('clicks_day', 'clicks_other'), interval),
  ]
  const whole = intervalOf(start, start + 7 * dayMs)
  const read = { view: 'day' as const, whole, ...part, version }
  t.deepEqual(segmentsRead(answer, names), [
    { ...read, partition: 0 },
    { ...read, partition: 12 },
  ])
})

const row = fc.record({ minute: fc.nat(5), click: fc.nat(9), gross: fc.nat(9) })
const segmentRows = fc.uniqueArray(row, { selector: ({ minute }) => minute })

test('rows of segments add up to what one list of all rows says', (t) => {
  fc.assert(
    fc.property(fc.array(segmentRows), fc.boolean(), (segments, descending) => {
      const answer = segments.map((rows, i) => ({
        result: {
          ...{ segment: `ns_clicks_batch_${i}`, interval: 'all' },
          results: rows.map(({ minute, click, gross }) => ({
            timestamp: new Date(start + minute * minuteMs).toISOString(),
            result: { a_click_count: click, a_gross_click_count: gross },
          })),
        },
      }))
      const rows = [...Map.groupBy(segments.flat(), ({ minute }) => minute)]
        .sort(([a], [b]) => (descending ? b - a : a - b))
        .slice(0, 4)
      const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0)
      const order = [{ by: 'time' as const, descending }]
      t.deepEqual(
        mergeSegments({ ...query, limit: 4, order }, answer),
        rows.map(([minute, same]) => ({
          ...{ time: start + minute * minuteMs, dimensions: {} },
          metrics: {
            click_count: sum(same.map(({ click }) => click)),
            gross_click_count: sum(same.map(({ gross }) => gross)),
          },
        })),
      )
    }),
    { seed },
  )
})

test('a segment that is named twice is refused: its rows would count twice', (t) => {
  const [early, late] = [intervalOf(start, start + 1), intervalOf(start + 1, start + 2)]
  const parts = [segmentOf('a', early), segmentOf('a', late), segmentOf('b', early)]
  t.deepEqual(mergeSegments(query, parts), [])
  t.throws(() => mergeSegments(query, [...parts, segmentOf('a', late)]), { message: /twice/ })
})
