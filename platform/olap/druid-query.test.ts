import test from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import { sketchLogK } from '#schemas/metrics.ts'
import { hourMs } from '#schemas/paths.ts'
import { readSettings } from '../config.ts'
import { compileDruidQuery, toReportRow } from './druid-query.ts'
import { druidNames } from './druid-specs.ts'

const start = Date.UTC(2026, 0, 5)
const names = druidNames(readSettings({ CLICKLEDGER_NAMESPACE: 'ns' }))
const query: ReportQuery = {
  start,
  end: start + 24 * hourMs,
  boundary: start + 12 * hourMs,
  granularity: 'hour',
  timeZone: 'Asia/Kolkata',
  dimensions: ['ad_id'],
  filters: [],
  metrics: ['click_count', 'unique_user_count'],
  limit: 10,
}

const compile = (more: Partial<ReportQuery> = {}) => compileDruidQuery({ ...query, ...more }, names)
const layer = (view: string) => ({
  ...{ type: 'equals', column: 'layer', matchValueType: 'STRING', matchValue: view },
})
const within = (from: number, to: number) => ({
  ...{ type: 'range', column: '__time', matchValueType: 'LONG' },
  ...{ lower: start + from * hourMs, upper: start + to * hourMs, upperOpen: true },
})
const and = (...fields: unknown[]) => ({ type: 'and', fields })
const or = (...fields: unknown[]) => ({ type: 'or', fields })

test('a query across the boundary reads each view on its side', (t) => {
  t.deepEqual(compile(), {
    queryType: 'groupBy',
    dataSource: {
      type: 'union',
      dataSources: [
        { type: 'table', name: 'ns_clicks_batch' },
        { type: 'table', name: 'ns_clicks_speed' },
      ],
    },
    intervals: ['2026-01-05T00:00:00.000Z/2026-01-06T00:00:00.000Z'],
    granularity: 'all',
    filter: or(and(layer('batch'), within(0, 12)), and(layer('speed'), within(12, 24))),
    virtualColumns: [
      {
        ...{ type: 'expression', name: 'v_time', outputType: 'LONG' },
        expression: `timestamp_floor("__time", 'PT1H', null, 'Asia/Kolkata')`,
      },
      {
        ...{ type: 'expression', name: 'v_ad_id', outputType: 'STRING' },
        expression: `nvl("ad_id", '')`,
      },
    ],
    dimensions: [
      { type: 'default', dimension: 'v_time', outputName: 'd_time', outputType: 'LONG' },
      { type: 'default', dimension: 'v_ad_id', outputName: 'd_ad_id', outputType: 'STRING' },
    ],
    aggregations: [
      { type: 'longSum', name: 'a_click_count', fieldName: 'click_count' },
      {
        ...{ type: 'HLLSketchMerge', name: 'a_unique_user_count', fieldName: 'unique_user_count' },
        ...{ lgK: sketchLogK, tgtHllType: 'HLL_4', round: true },
      },
    ],
    limitSpec: {
      ...{ type: 'default', limit: 10 },
      columns: [
        ...[{ dimension: 'd_time', direction: 'ascending', dimensionOrder: { type: 'numeric' } }],
        { dimension: 'd_ad_id', direction: 'ascending', dimensionOrder: { type: 'lexicographic' } },
      ],
    },
    context: { resultAsArray: true },
  })
})

test('a query reads every grain in its ranges', (t) => {
  const year = compile({
    start: start - 2 * 24 * hourMs - hourMs / 2,
    end: start + 12 * hourMs,
    granularity: 'month',
    timeZone: 'UTC',
  })
  t.deepEqual(
    year.filter,
    or(
      and(layer('batch'), within(-48.5, -48)),
      and(layer('day'), within(-48, 0)),
      and(layer('hour'), within(0, 12)),
    ),
  )
})

test('a query of one view reads just that', (t) => {
  const below = compile({ boundary: query.end, timeZone: 'UTC' })
  t.deepEqual(below.dataSource, { type: 'table', name: 'ns_clicks_hour' })
  t.deepEqual(below.filter, layer('hour'))
  const above = compile({ boundary: query.start })
  t.deepEqual(above.dataSource, { type: 'table', name: 'ns_clicks_speed' })
  t.deepEqual(above.filter, layer('speed'))
})

/** The filters of a query that reads one view. */
const filtersOf = (...filters: ReportQuery['filters']) => {
  const { fields } = compile({ boundary: query.start, filters }).filter as { fields: unknown[] }
  return fields.slice(1)
}

test('a row without a dimension counts as empty, and a prefix means its own signs', (t) => {
  const isNull = (column: string) => ({ type: 'null', column })
  const not = (field: unknown) => ({ type: 'not', field })
  const isIn = (dimension: string, values: string[]) => ({ type: 'in', dimension, values })
  t.deepEqual(
    filtersOf(
      { dimension: 'ad_id', kind: 'in', values: ["o'ad", ''] },
      { dimension: 'ad_id', kind: 'in', values: ['a'] },
      { dimension: 'country', kind: 'not-in', values: ['US'] },
      { dimension: 'country', kind: 'not-in', values: [''] },
      { dimension: 'city', kind: 'prefix', values: ['100%_!', 'b'] },
      { dimension: 'city', kind: 'prefix', values: ['b', ''] },
    ),
    [
      or(isIn('ad_id', ["o'ad", '']), isNull('ad_id')),
      isIn('ad_id', ['a']),
      or(not(isIn('country', ['US'])), isNull('country')),
      and(not(isIn('country', [''])), not(isNull('country'))),
      or(
        { type: 'like', dimension: 'city', pattern: '100!%!_!!%', escape: '!' },
        { type: 'like', dimension: 'city', pattern: 'b%', escape: '!' },
      ),
      { type: 'true' },
    ],
  )
})

test('a filter without values matches as none or all', (t) => {
  const found = (kind: 'in' | 'not-in' | 'prefix') =>
    filtersOf({ dimension: 'ad_id', kind, values: [] })
  t.deepEqual(found('in'), [{ type: 'false' }])
  t.deepEqual(found('not-in'), [{ type: 'true' }])
  t.deepEqual(found('prefix'), [{ type: 'false' }])
})

test('what is ordered by time alone is a timeseries', (t) => {
  const order = [{ by: 'time', descending: true }] as const
  const newestFirst = compile({ dimensions: [], order })
  t.like(newestFirst, { queryType: 'timeseries', descending: true, limit: 10 })
  t.deepEqual(newestFirst.granularity, { type: 'period', period: 'PT1H', timeZone: 'Asia/Kolkata' })
  const bySums = [{ by: 'click_count', descending: true }] as const
  t.is(compile({ dimensions: [], order: bySums }).queryType, 'groupBy')
  const byBoth = [...order, ...bySums]
  const page = compile({ dimensions: [], order: byBoth, after: [start + hourMs, 7] })
  t.is(page.queryType, 'timeseries')
  t.deepEqual(
    (page.filter as { fields: unknown[] }).fields[1],
    beyond('v_time', start + hourMs, 'upper'),
  )
  t.is(compile({ dimensions: [], granularity: 'all' }).queryType, 'groupBy')
})

test('a row is read back, by place or by name', (t) => {
  const time = Date.UTC(2026, 0, 5, 18, 30)
  t.deepEqual(toReportRow(query, [time, 'ad-1', 7, null]), {
    time,
    dimensions: { ad_id: 'ad-1' },
    metrics: { click_count: 7, unique_user_count: 0 },
  })
  const all = { ...query, granularity: 'all' as const, dimensions: [] }
  t.deepEqual(toReportRow(all, [7, 3]), {
    time: start,
    dimensions: {},
    metrics: { click_count: 7, unique_user_count: 3 },
  })
  const result = { a_click_count: 7, a_unique_user_count: null }
  t.deepEqual(toReportRow(query, { timestamp: '2026-01-05T18:30:00.000Z', result }), {
    time,
    dimensions: {},
    metrics: { click_count: 7, unique_user_count: 0 },
  })
})

test('the one row of everything is not sorted, and not there without clicks', (t) => {
  const order = [{ by: 'click_count', descending: true }] as const
  const all = compile({ granularity: 'all', dimensions: [], order })
  t.deepEqual(all.limitSpec, { type: 'default', limit: 10, columns: [] })
  t.like(all.having, { filter: { type: 'range', column: 'rows', lower: 0, lowerOpen: true } })
})

const compared = (column: string, value: string | number) => ({
  ...{ type: 'equals', column, matchValue: value },
  matchValueType: typeof value === 'string' ? 'STRING' : 'LONG',
})
const beyond = (column: string, value: string | number, side: 'lower' | 'upper' = 'lower') => ({
  ...{ type: 'range', column, [side]: value, [`${side}Open`]: true },
  matchValueType: typeof value === 'string' ? 'STRING' : 'LONG',
})

test('a page of sums is cut after grouping, a page of keys before', (t) => {
  const time = Date.UTC(2026, 0, 5, 3)
  const keys = compile({ after: [time, "ad'1"] })
  const { fields } = keys.filter as { fields: unknown[] }
  t.deepEqual(
    fields.at(-1),
    or(beyond('v_time', time), and(compared('v_time', time), beyond('v_ad_id', "ad'1"))),
  )
  t.false('having' in keys)
  const order = [{ by: 'click_count', descending: true }] as const
  const sums = compile({ order, after: [7, time, 'ad-1'] })
  const ofSum = compared('a_click_count', 7)
  t.deepEqual(sums.having, {
    ...{ type: 'filter', finalize: true },
    filter: or(
      beyond('a_click_count', 7, 'upper'),
      and(ofSum, beyond('d_time', time)),
      and(ofSum, compared('d_time', time), beyond('d_ad_id', 'ad-1')),
    ),
  })
  const { columns } = sums.limitSpec as { columns: { dimension: string; direction: string }[] }
  t.deepEqual(
    columns.map(({ dimension, direction }) => `${dimension} ${direction}`),
    ['a_click_count descending', 'd_time ascending', 'd_ad_id ascending'],
  )
})
