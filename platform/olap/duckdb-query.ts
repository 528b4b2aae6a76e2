// A ReportQuery as DuckDB SQL: one statement over both views, split at the boundary and by grain.
// Uniques are counted from the members of the aggregates, never added up.
import { type Grain, planGrains } from '#core/grain.ts'
import {
  afterPosition,
  isMetricKey,
  narrowToPage,
  type SortKey,
  totalOrder,
} from '#core/report-order.ts'
import type { Filter, Granularity, ReportQuery } from '#core/report-query.ts'
import { type MetricName, metricByName } from '#schemas/metrics.ts'

/** Tables of the batch view. Their column `minute` is the first minute of the row's hour or day. */
export const grainTables = {
  minute: 'batch_minutes',
  hour: 'batch_hours',
  day: 'batch_days',
} as const satisfies Record<Grain, string>

export const speedTable = 'speed_minutes'

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`

const stepMs: Partial<Record<Granularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

/** Start of the bucket (ms) that holds `minute`, in the query's time zone. */
function bucketSql({ granularity, timeZone, start }: ReportQuery): string {
  if (granularity === 'all') return `CAST(${start} AS BIGINT)`
  const step = stepMs[granularity]
  if (granularity === 'minute' || (timeZone === 'UTC' && step)) return `minute - minute % ${step}`
  if (timeZone === 'UTC') {
    return `epoch_ms(date_trunc(${quote(granularity)}, make_timestamp(minute * 1000)))`
  }
  const local = `timezone(${quote(timeZone)}, make_timestamptz(minute * 1000))`
  if (granularity === 'hour') {
    // By the zone's offset, not by truncating local time: the two hours of an autumn night stay apart.
    const offset = `(epoch_ms(${local}) - minute)`
    return `minute - (minute + ${offset}) % ${step}`
  }
  return `epoch_ms(timezone(${quote(timeZone)}, date_trunc(${quote(granularity)}, ${local})))`
}

function filterSql({ dimension, kind, values }: Filter): string {
  const list = values.map(quote).join(', ')
  if (kind === 'in') return values.length === 0 ? 'false' : `${dimension} IN (${list})`
  if (kind === 'not-in') return values.length === 0 ? 'true' : `${dimension} NOT IN (${list})`
  return `(${values.map((v) => `starts_with(${dimension}, ${quote(v)})`).join(' OR ') || 'false'})`
}

/** Rows that the query is about, with the named columns: one leg for each table. */
function sourceSql(query: ReportQuery, columns: readonly string[]): string {
  const where = query.filters.map((filter) => ` AND ${filterSql(filter)}`).join('')
  const { batch, speed } = planGrains(query)
  const pieces = [
    ...batch.map((part) => ({ table: grainTables[part.grain], ...part })),
    ...(speed ? [{ table: speedTable, ...speed }] : []),
  ]
  const legs = [...Map.groupBy(pieces, ({ table }) => table)].map(([table, ranges]) => {
    const within = ranges.map(({ start, end }) => `minute >= ${start} AND minute < ${end}`)
    return `SELECT ${columns.join(', ')} FROM ${table} WHERE (${within.join(' OR ')})${where}`
  })
  const none = `SELECT ${columns.join(', ')} FROM ${speedTable} WHERE false`
  return `(${legs.length > 0 ? legs.join(' UNION ALL ') : none})`
}

const split = (metrics: readonly MetricName[]) => {
  const all = metrics.map(metricByName)
  return {
    sums: all.filter((m) => m.kind === 'sum'),
    uniques: all.filter((m) => m.kind === 'unique'),
  }
}

const keyColumn = ({ by }: SortKey) => (by === 'time' ? 'bucket' : by)
const metricColumn = (name: string) => `coalesce(${name}, 0)`

/** Rows of the page: a condition on single rows, or on what they add up to. */
function pageSql(query: ReportQuery): { rows: string; sums: string } {
  if (!query.after) return { rows: '', sums: '' }
  const order = totalOrder(query)
  const column = (key: SortKey) => (isMetricKey(key) ? metricColumn(key.by) : keyColumn(key))
  const steps = afterPosition(order, query.after).map((comparisons) =>
    comparisons.map(({ key, operator, value }) => {
      const right = typeof value === 'number' ? String(value) : quote(value)
      return `${column(key)} ${operator} ${right}`
    }),
  )
  const sql = `(${steps.map((step) => `(${step.join(' AND ')})`).join(' OR ') || 'FALSE'})`
  return order.some(isMetricKey)
    ? { rows: '', sums: ` WHERE ${sql}` }
    : { rows: ` WHERE ${sql}`, sums: '' }
}

/**
 * Compiles a query. The result has a column `bucket` (ms), the dimensions, and the metrics as
 * DOUBLE (exact below 2^53).
 */
export function compileReportQuery(asked: ReportQuery): string {
  const query = narrowToPage(asked)
  const { dimensions, metrics, limit } = query
  const page = pageSql(query)
  const { sums, uniques } = split(metrics)
  const keys = ['bucket', ...dimensions]
  const select = [`${bucketSql(query)} AS bucket`, ...dimensions].join(', ')
  // The sums come first and define the groups: every row has gross clicks, so no group is missed.
  const sumColumns = sums.map((m) => `CAST(sum(${m.name}) AS DOUBLE) AS ${m.name}`)
  const ctes = [
    `base AS (SELECT ${[select, ...sumColumns].join(', ')} FROM ${sourceSql(query, ['minute', ...dimensions, ...sums.map((m) => m.name)])}${page.rows} GROUP BY ${keys.join(', ')})`,
    ...uniques.map(
      (m, i) =>
        `unique_${i} AS (SELECT ${keys.join(', ')}, CAST(count(DISTINCT member) AS DOUBLE) AS ${m.name} FROM (
          SELECT ${keys.join(', ')}, unnest(${m.members}) AS member FROM (
            SELECT ${[select, m.members].join(', ')} FROM ${sourceSql(query, ['minute', ...dimensions, m.members])}${page.rows}))
          GROUP BY ${keys.join(', ')})`,
    ),
  ]
  const joins = uniques.map((_, i) => ` LEFT JOIN unique_${i} USING (${keys.join(', ')})`).join('')
  const shown = [...keys, ...metrics.map((name) => `${metricColumn(name)} AS ${name}`)]
  const order = totalOrder(query).map((key) => `${keyColumn(key)}${key.descending ? ' DESC' : ''}`)
  return `WITH ${ctes.join(', ')} SELECT ${shown.join(', ')} FROM base${joins}${page.sums}
    ORDER BY ${[...order, 'bucket'].join(', ')} LIMIT ${limit}`
}
