// A ReportQuery as one native query of Druid over the views it needs, each on its side by `layer`. Not as
// SQL: planning a statement takes a broker nearly as long as answering a short report. Uniques are merged
// sketches.
import type { Interval } from '#core/boundary.ts'
import { afterPosition, isMetricKey, type SortKey, totalOrder } from '#core/report-order.ts'
import type { Filter, Granularity, ReportQuery, ReportRow } from '#core/report-query.ts'
import { isDimension } from '#schemas/dimensions.ts'
import { type MetricName, metricByName } from '#schemas/metrics.ts'
import { intervalsOf, type ViewRanges, viewRanges } from './druid-ranges.ts'
import { type DruidNames, intervalOf, type Spec, sketchSize, type View } from './druid-specs.ts'

const periods: Record<Exclude<Granularity, 'all'>, string> = {
  minute: 'PT1M',
  hour: 'PT1H',
  day: 'P1D',
  week: 'P1W', // ISO weeks: they begin on Monday
  month: 'P1M',
}

const and = (fields: readonly Spec[]): Spec =>
  fields.length > 1 ? { type: 'and', fields } : (fields[0] ?? { type: 'true' })
const or = (fields: readonly Spec[]): Spec =>
  fields.length > 1 ? { type: 'or', fields } : (fields[0] ?? { type: 'false' })
const not = (field: Spec): Spec => ({ type: 'not', field })
const isNull = (column: string): Spec => ({ type: 'null', column })

const typeOf = (value: string | number) => (typeof value === 'number' ? 'LONG' : 'STRING')

function compared(column: string, operator: '=' | '<' | '>', value: string | number): Spec {
  const matchValueType = typeOf(value)
  if (operator === '=') return { type: 'equals', column, matchValueType, matchValue: value }
  const bound =
    operator === '<' ? { upper: value, upperOpen: true } : { lower: value, lowerOpen: true }
  return { type: 'range', column, matchValueType, ...bound }
}

/** `_`, `%` and the escape itself mean themselves. */
const likePrefix = (text: string) => `${text.replaceAll(/[!%_]/g, '!$&')}%`

/**
 * Filters name the column itself, so that Druid uses its index. A segment from before a dimension was
 * added has null where the others have ''.
 */
function filterSpec({ dimension, kind, values }: Filter): Spec {
  if (kind === 'prefix') {
    if (values.includes('')) return { type: 'true' }
    return or(
      values.map((text) => ({ type: 'like', dimension, pattern: likePrefix(text), escape: '!' })),
    )
  }
  if (values.length === 0) return { type: kind === 'in' ? 'false' : 'true' }
  const isIn: Spec = { type: 'in', dimension, values }
  const blank = isNull(dimension)
  if (kind === 'in') return values.includes('') ? or([isIn, blank]) : isIn
  return values.includes('') ? and([not(isIn), not(blank)]) : or([not(isIn), blank])
}

/** The rows of each view in its ranges. */
function layersSpec(ranges: ViewRanges): Spec {
  const layer = (view: View) => compared('layer', '=', view)
  const [only = 'speed', ...others] = ranges.keys()
  if (others.length === 0) return layer(only)
  const within = ({ start, end }: Interval): Spec => ({
    ...{ type: 'range', column: '__time', matchValueType: 'LONG' },
    ...{ lower: start, upper: end, upperOpen: true },
  })
  return or([...ranges].map(([view, some]) => and([layer(view), or(some.map(within))])))
}

function sourceSpec(ranges: ViewRanges, names: DruidNames): Spec {
  const table = (view: View) => ({ type: 'table', name: names[view] })
  const [only = 'speed', ...others] = ranges.keys()
  if (others.length === 0) return table(only)
  return { type: 'union', dataSources: [only, ...others].map(table) }
}

/** What a metric is called in the answer. */
const totalOf = (metric: string) => `a_${metric}`
/** What time and dimensions are called before the rows are grouped. */
const columnOf = ({ by }: Pick<SortKey, 'by'>) => `v_${by}`
/** What a sort key is called in the answer. */
const outputOf = (key: Pick<SortKey, 'by'>) => (isMetricKey(key) ? totalOf(key.by) : `d_${key.by}`)

function aggregatorOf(metric: MetricName): Spec {
  const columns = { name: totalOf(metric), fieldName: metric }
  return metricByName(metric).kind === 'sum'
    ? { type: 'longSum', ...columns }
    : { type: 'HLLSketchMerge', ...columns, ...sketchSize, round: true }
}

/** A column that rows are grouped by, and what it is made of. */
interface Key {
  readonly by: 'time' | ReportQuery['dimensions'][number]
  readonly type: 'LONG' | 'STRING'
  readonly expression: string
}

function keysOf({ granularity, timeZone, dimensions }: ReportQuery): Key[] {
  const bucket = (period: string): Key => ({
    ...{ by: 'time', type: 'LONG' },
    expression: `timestamp_floor("__time", '${period}', null, '${timeZone}')`,
  })
  return [
    ...(granularity === 'all' ? [] : [bucket(periods[granularity])]),
    ...dimensions.map((by): Key => ({ by, type: 'STRING', expression: `nvl("${by}", '')` })),
  ]
}

/** Where there is one row for each time, nothing else orders them. */
function orderOf(query: ReportQuery): readonly SortKey[] {
  const order = totalOrder(query)
  return query.dimensions.length === 0 && order[0]?.by === 'time' ? order.slice(0, 1) : order
}

/** Rows of the page: a condition on single rows (filter), or on what they add up to (having). */
function pageSpec(query: ReportQuery): { filter: Spec[]; having: Spec[] } {
  if (!query.after) return { filter: [], having: [] }
  const order = orderOf(query)
  const isOfSums = order.some(isMetricKey)
  const column = isOfSums ? outputOf : columnOf
  const steps = afterPosition(order, query.after).map((comparisons) =>
    and(
      comparisons.map(({ key, operator, value }) =>
        compared(column(key), operator, isDimension(key.by) ? String(value) : Number(value)),
      ),
    ),
  )
  return isOfSums ? { filter: [], having: [or(steps)] } : { filter: [or(steps)], having: [] }
}

/**
 * Compiles a query; `toReportRow` reads the rows of its answer.
 * @throws ClickledgerError `not-kept`
 */
export function compileDruidQuery(
  query: ReportQuery,
  names: DruidNames,
  ranges = viewRanges(query),
): Spec {
  const { granularity, timeZone, metrics, limit } = query
  const keys = keysOf(query)
  const page = pageSpec(query)
  const common = {
    dataSource: sourceSpec(ranges, names),
    intervals: intervalsOf(ranges).map((one) => intervalOf(one.start, one.end)),
    filter: and([layersSpec(ranges), ...query.filters.map(filterSpec), ...page.filter]),
    virtualColumns: keys.map(({ by, expression, type }) => ({
      ...{ type: 'expression', name: columnOf({ by }), expression, outputType: type },
    })),
    aggregations: metrics.map(aggregatorOf),
  }
  const order = orderOf(query)
  const [first, second] = order
  if (granularity !== 'all' && first?.by === 'time' && !second) {
    return {
      ...{ queryType: 'timeseries', ...common, limit },
      granularity: { type: 'period', period: periods[granularity], timeZone },
      descending: first.descending,
      context: { skipEmptyBuckets: true },
    }
  }
  // Without keys there is one group, rows or not: it is left out where there are none.
  const rows = keys.length === 0 ? [{ type: 'count', name: 'rows' }] : []
  const having = [...page.having, ...rows.map(({ name }) => compared(name, '>', 0))]
  return {
    ...{ queryType: 'groupBy', ...common, granularity: 'all' },
    dimensions: keys.map((key) => ({
      ...{ type: 'default', dimension: columnOf(key), outputName: outputOf(key) },
      outputType: key.type,
    })),
    aggregations: [...common.aggregations, ...rows],
    ...(having.length > 0
      ? { having: { type: 'filter', filter: and(having), finalize: true } }
      : {}),
    limitSpec: {
      ...{ type: 'default', limit },
      columns: order.map((key) => ({
        dimension: outputOf(key),
        direction: key.descending ? 'descending' : 'ascending',
        dimensionOrder: { type: isDimension(key.by) ? 'lexicographic' : 'numeric' },
      })),
    },
    context: { resultAsArray: true },
  }
}

/** What Druid answers to a timeseries. */
export interface TimeRow {
  readonly timestamp: string
  readonly result: Readonly<Record<string, number | null>>
}

/** What Druid answers to a compiled query: a timeseries by name, a groupBy by place. */
export type NativeRow = TimeRow | readonly (string | number | null)[]

/** A row of the answer to a compiled query. */
export function toReportRow(query: ReportQuery, row: NativeRow): ReportRow {
  const { granularity, dimensions, metrics } = query
  if ('timestamp' in row) {
    const { timestamp, result } = row
    const totals: Partial<Record<MetricName, number>> = {}
    for (const name of metrics) totals[name] = Number(result[totalOf(name)] ?? 0)
    return { time: Date.parse(timestamp), dimensions: {}, metrics: totals }
  }
  const keys = granularity === 'all' ? 0 : 1
  const numbers = row.slice(keys + dimensions.length)
  return {
    time: keys === 0 ? query.start : Number(row[0]),
    dimensions: Object.fromEntries(dimensions.map((name, i) => [name, String(row[keys + i])])),
    metrics: Object.fromEntries(metrics.map((name, i) => [name, Number(numbers[i] ?? 0)])),
  }
}
