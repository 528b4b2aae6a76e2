// A ReportQuery as Druid SQL: one native query over the views it needs, each on its side by `layer`.
// Uniques are merged sketches. Values travel as parameters; instants are literals made of numbers.
import type { Interval } from '#core/boundary.ts'
import { type GrainSplit, planGrains } from '#core/grain.ts'
import { afterSql, isMetricKey, type SortKey, totalOrder } from '#core/report-order.ts'
import type { Filter, Granularity, ReportQuery, ReportRow } from '#core/report-query.ts'
import { isDimension } from '#schemas/dimensions.ts'
import { type MetricName, metricByName } from '#schemas/metrics.ts'
import type { SqlValue } from './druid-http.ts'
import { type DruidNames, grainViews, type View } from './druid-specs.ts'

export interface DruidSql {
  readonly sql: string
  readonly parameters: readonly string[]
}

/** What a query reads of each view, in order. */
export type ViewRanges = ReadonlyMap<View, readonly Interval[]>

const periods: Record<Exclude<Granularity, 'all'>, string> = {
  minute: 'PT1M',
  hour: 'PT1H',
  day: 'P1D',
  week: 'P1W', // ISO weeks: they begin on Monday
  month: 'P1M',
}

/** `TIMESTAMP '2026-11-22 05:00:00.000'` of an instant (ms). */
export const timestampSql = (time: number): string =>
  `TIMESTAMP '${new Date(time).toISOString().slice(0, 23).replace('T', ' ')}'`

const textSql = (text: string) => `'${text.replaceAll("'", "''")}'`

/** A segment from before a dimension was added has null where the others have ''. */
const dimensionSql = (name: string) => `COALESCE("${name}", '')`

/** `_`, `%` and the escape itself mean themselves. */
const likePrefix = (text: string) => `${text.replaceAll(/[!%_]/g, '!$&')}%`

/** Filters name the column itself, so that Druid uses its index. */
function filterSql({ dimension, kind, values }: Filter): DruidSql {
  const column = `"${dimension}"`
  const marks = values.map(() => '?').join(', ')
  if (kind === 'prefix') {
    if (values.includes('')) return { sql: 'TRUE', parameters: [] }
    const any = values.map(() => `${column} LIKE ? ESCAPE '!'`).join(' OR ')
    return { sql: any ? `(${any})` : 'FALSE', parameters: values.map(likePrefix) }
  }
  if (values.length === 0) return { sql: kind === 'in' ? 'FALSE' : 'TRUE', parameters: [] }
  const orNull = `${column} IS NULL`
  const sql =
    kind === 'in'
      ? `${column} IN (${marks})${values.includes('') ? ` OR ${orNull}` : ''}`
      : `${column} NOT IN (${marks})${values.includes('') ? '' : ` OR ${orNull}`}`
  return { sql: `(${sql})`, parameters: values }
}

/** @throws ClickledgerError `not-kept` */
export const viewRanges = (query: ReportQuery): ViewRanges => rangesOfSplit(planGrains(query))

/** What a split reads of each view. */
export function rangesOfSplit({ batch, speed }: GrainSplit): ViewRanges {
  const pieces = [
    ...batch.map((part) => ({ view: grainViews[part.grain] as View, range: part })),
    ...(speed ? [{ view: 'speed' as const, range: speed }] : []),
  ]
  const ranges = new Map<View, Interval[]>()
  for (const { view, range } of pieces) {
    ranges.set(view, [...(ranges.get(view) ?? []), { start: range.start, end: range.end }])
  }
  return ranges
}

const withinSql = ({ start, end }: Interval) =>
  `__time >= ${timestampSql(start)} AND __time < ${timestampSql(end)}`

/**
 * FROM and WHERE without the filters, within `query`. Only an outer range of time prunes segments.
 * @param views - what FROM names, at least the views of the ranges
 */
export function sourceSql(
  query: Interval,
  names: DruidNames,
  ranges: ViewRanges,
  views: readonly View[] = [...ranges.keys()],
): string {
  const [only = 'speed'] = views
  if (views.length <= 1) return `"${names[only]}" WHERE ${withinSql(query)} AND layer = '${only}'`
  const each = [...ranges].map(
    ([view, some]) => `(layer = '${view}' AND (${some.map(withinSql).join(' OR ')}))`,
  )
  return `TABLE(APPEND(${views.map((view) => textSql(names[view])).join(', ')})) WHERE ${withinSql(query)}
    AND (${each.join(' OR ')})`
}

const metricSql = (name: MetricName) =>
  metricByName(name).kind === 'sum' ? `SUM("${name}")` : `APPROX_COUNT_DISTINCT_DS_HLL("${name}")`

const bucketSql = ({ granularity, timeZone }: ReportQuery) =>
  granularity === 'all'
    ? []
    : [`TIME_FLOOR(__time, '${periods[granularity]}', NULL, ${textSql(timeZone)})`]

/** Rows of the page: a condition on them (WHERE), or on what they add up to (HAVING). */
function pageSql(query: ReportQuery): { where: DruidSql[]; having: DruidSql[] } {
  if (!query.after) return { where: [], having: [] }
  const order = totalOrder(query)
  const [bucket = ''] = bucketSql(query)
  const column = ({ by }: SortKey) => {
    if (by === 'time') return bucket
    return isDimension(by) ? dimensionSql(by) : metricSql(by)
  }
  const page = afterSql(order, query.after, column, ({ by }, value) => {
    if (by === 'time') return { sql: timestampSql(Number(value)), parameters: [] }
    if (isDimension(by)) return { sql: '?', parameters: [String(value)] }
    return { sql: String(Number(value)), parameters: [] }
  })
  return order.some(isMetricKey) ? { where: [], having: [page] } : { where: [page], having: [] }
}

/** Compiles a query. Rows are: the bucket (not for `all`), the dimensions, the metrics. */
export function compileDruidQuery(
  query: ReportQuery,
  names: DruidNames,
  ranges = viewRanges(query),
): DruidSql {
  const { dimensions, metrics, limit } = query
  const { where, having } = pageSql(query)
  const filters = [...query.filters.map(filterSql), ...where]
  const keyNames: readonly string[] = [...bucketSql(query).map(() => 'time'), ...dimensions]
  const keys = [...bucketSql(query), ...dimensions.map(dimensionSql)]
  const columns = metrics.map((name) => `${metricSql(name)} AS "${name}"`)
  const positions = keys.map((_, i) => i + 1).join(', ')
  const order = totalOrder(query).map(({ by, descending }) => {
    const place = keyNames.indexOf(by)
    return `${place < 0 ? `"${by}"` : place + 1}${descending ? ' DESC' : ''}`
  })
  return {
    parameters: [...filters, ...having].flatMap(({ parameters }) => parameters),
    sql: [
      `SELECT ${[...keys, ...columns].join(', ')}`,
      `FROM ${sourceSql(query, names, ranges)}`,
      ...filters.map(({ sql }) => `AND ${sql}`),
      // Without keys there is one group, rows or not: it is left out where there are none.
      positions ? `GROUP BY ${positions}` : 'GROUP BY () HAVING COUNT(*) > 0',
      ...having.map(({ sql }) => `HAVING ${sql}`),
      ...(order.length > 0 ? [`ORDER BY ${order.join(', ')}`] : []),
      `LIMIT ${limit}`,
    ].join('\n'),
  }
}

/** A row of the answer to a compiled query. */
export function toReportRow(query: ReportQuery, row: readonly SqlValue[]): ReportRow {
  const { granularity, dimensions, metrics } = query
  const keys = granularity === 'all' ? 0 : 1
  const numbers = row.slice(keys + dimensions.length)
  return {
    time: keys === 0 ? query.start : Date.parse(String(row[0])),
    dimensions: Object.fromEntries(dimensions.map((name, i) => [name, String(row[keys + i])])),
    metrics: Object.fromEntries(metrics.map((name, i) => [name, Number(numbers[i] ?? 0)])),
  }
}
