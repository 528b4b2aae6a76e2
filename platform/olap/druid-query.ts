// A ReportQuery as one native query of Druid over the views it needs, each on its side by `layer`. Not as
// SQL: planning a statement takes a broker nearly as long as answering a short report. Uniques are merged
// sketches.
import type { Interval } from '#core/boundary.ts'
import { afterPosition, isMetricKey, type SortKey, totalOrder } from '#core/report-order.ts'
import type { Filter, Granularity, ReportQuery, ReportRow } from '#core/report-query.ts'
import { isDimension } from '#schemas/dimensions.ts'
import { type MetricName, metricByName } from '#schemas/metrics.ts'
import { type ViewRanges, viewRanges } from './druid-ranges.ts'
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

const aggregatorOf = (metric: MetricName, name: string): Spec =>
  metricByName(metric).kind === 'sum'
    ? { type: 'longSum', name, fieldName: metric }
    : { type: 'HLLSketchMerge', name, fieldName: metric, ...sketchSize, round: true }

/** A column of the groups: what it is made of, and what it is called before and after. */
interface Key {
  readonly by: 'time' | ReportQuery['dimensions'][number]
  readonly column: string
  readonly output: string
  readonly type: 'LONG' | 'STRING'
  readonly expression: string
}

function keysOf({ granularity, timeZone, dimensions }: ReportQuery): Key[] {
  const bucket = (period: string): Key => ({
    ...{ by: 'time', column: 'v_time', output: 'd_time', type: 'LONG' },
    expression: `timestamp_floor("__time", '${period}', null, '${timeZone}')`,
  })
  return [
    ...(granularity === 'all' ? [] : [bucket(periods[granularity])]),
    ...dimensions.map(
      (name): Key => ({
        ...{ by: name, column: `v_${name}`, output: `d_${name}`, type: 'STRING' },
        expression: `nvl("${name}", '')`,
      }),
    ),
  ]
}

/** Where there is one row for each time, nothing else orders them. */
function orderOf(query: ReportQuery): readonly SortKey[] {
  const order = totalOrder(query)
  return query.dimensions.length === 0 && order[0]?.by === 'time' ? order.slice(0, 1) : order
}

/** Rows of the page: a condition on single rows (filter), or on what they add up to (having). */
function pageSpec(query: ReportQuery, keys: readonly Key[]): { filter: Spec[]; having: Spec[] } {
  if (!query.after) return { filter: [], having: [] }
  const order = orderOf(query)
  const isOfSums = order.some(isMetricKey)
  const column = ({ by }: SortKey) => {
    const key = keys.find((known) => known.by === by)
    if (!key) return `a_${by}`
    return isOfSums ? key.output : key.column
  }
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
 * Compiles a query. Rows are (see `rowsOf`): the bucket (not for `all`), the dimensions, the metrics.
 * @throws ClickledgerError `not-kept`
 */
export function compileDruidQuery(
  query: ReportQuery,
  names: DruidNames,
  ranges = viewRanges(query),
): Spec {
  const { granularity, timeZone, start, end, metrics, limit } = query
  const keys = keysOf(query)
  const page = pageSpec(query, keys)
  const common = {
    dataSource: sourceSpec(ranges, names),
    intervals: [intervalOf(start, end)],
    filter: and([layersSpec(ranges), ...query.filters.map(filterSpec), ...page.filter]),
    virtualColumns: keys.map(({ column, expression, type }) => ({
      ...{ type: 'expression', name: column, expression, outputType: type },
    })),
    aggregations: metrics.map((name) => aggregatorOf(name, `a_${name}`)),
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
    dimensions: keys.map(({ column, output, type }) => ({
      ...{ type: 'default', dimension: column, outputName: output, outputType: type },
    })),
    aggregations: [...common.aggregations, ...rows],
    ...(having.length > 0
      ? { having: { type: 'filter', filter: and(having), finalize: true } }
      : {}),
    limitSpec: {
      ...{ type: 'default', limit },
      columns: order.map(({ by, descending }) => ({
        dimension: keys.find((key) => key.by === by)?.output ?? `a_${by}`,
        direction: descending ? 'descending' : 'ascending',
        dimensionOrder: { type: isDimension(by) ? 'lexicographic' : 'numeric' },
      })),
    },
    context: { resultAsArray: true },
  }
}

/** What Druid answers to a compiled query: a timeseries by name, a groupBy by place. */
export type NativeRow =
  | readonly (string | number | null)[]
  | { readonly timestamp: string; readonly result: Readonly<Record<string, number | null>> }

/** A row of the answer to a compiled query. */
export function toReportRow(query: ReportQuery, row: NativeRow): ReportRow {
  const { granularity, dimensions, metrics } = query
  if ('timestamp' in row) {
    const { timestamp, result } = row
    return {
      ...{ time: Date.parse(timestamp), dimensions: {} },
      metrics: Object.fromEntries(metrics.map((name) => [name, Number(result[`a_${name}`] ?? 0)])),
    }
  }
  const keys = granularity === 'all' ? 0 : 1
  const numbers = row.slice(keys + dimensions.length)
  return {
    time: keys === 0 ? query.start : Number(row[0]),
    dimensions: Object.fromEntries(dimensions.map((name, i) => [name, String(row[keys + i])])),
    metrics: Object.fromEntries(metrics.map((name, i) => [name, Number(numbers[i] ?? 0)])),
  }
}
