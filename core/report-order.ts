// The order of a report's rows, and where a page begins in it. The order is always total (what is asked
// for, then time, then the dimensions), so a position names one place between two rows: a page that
// begins after it neither repeats nor misses a row, whatever came in meanwhile.
import { type DimensionName, isDimension } from '#schemas/dimensions.ts'
import type { MetricName } from '#schemas/metrics.ts'
import { bucketEnd } from './buckets.ts'
import type { ReportQuery, ReportRow } from './report-query.ts'
import { compareText } from './text-order.ts'

export interface SortKey {
  /** `time` is the start of the bucket. A dimension or a metric must be one of the query's. */
  readonly by: 'time' | DimensionName | MetricName
  readonly descending: boolean
}

/** The values of a row's sort keys, in the order of `totalOrder`; times in ms. */
export type Position = readonly (string | number)[]

type Ordered = Pick<ReportQuery, 'order' | 'granularity' | 'dimensions'>

export const isMetricKey = ({ by }: Pick<SortKey, 'by'>): boolean =>
  by !== 'time' && !isDimension(by)

/** The keys asked for, completed by time and dimensions. No two rows are equal in all of them. */
export function totalOrder({ order = [], granularity, dimensions }: Ordered): SortKey[] {
  const keys = new Map<string, SortKey>()
  const rest = [...(granularity === 'all' ? [] : ['time' as const]), ...dimensions]
  // All clicks in one bucket are one row, which needs no order: stores cannot sort it either.
  if (rest.length === 0) return []
  for (const key of [...order, ...rest.map((by) => ({ by, descending: false }))]) {
    // There is but one time where all time is one bucket.
    if (key.by === 'time' && granularity === 'all') continue
    if (!keys.has(key.by)) keys.set(key.by, key)
  }
  return [...keys.values()]
}

function keyValue({ time, dimensions, metrics }: ReportRow, { by }: SortKey): string | number {
  if (by === 'time') return time
  return isDimension(by) ? (dimensions[by] ?? '') : (metrics[by] ?? 0)
}

/** Where a row stands in the order. */
export const positionOf = (order: readonly SortKey[], row: ReportRow): Position =>
  order.map((key) => keyValue(row, key))

const compareValues = (a: string | number, b: string | number) =>
  typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : Number(a) - Number(b)

/** Compares rows, or a row with a position. Druid has another order of texts with characters beyond U+FFFF. */
export function comparePositions(order: readonly SortKey[], a: Position, b: Position): number {
  for (const [i, { descending }] of order.entries()) {
    const compared = compareValues(a[i] ?? 0, b[i] ?? 0)
    if (compared !== 0) return descending ? -compared : compared
  }
  return 0
}

/** Shortens the range to what the rest of a page by page answer can still be about: whole buckets. */
export function narrowToPage(query: ReportQuery): ReportQuery {
  const { after, granularity, timeZone, start, end } = query
  const [first] = totalOrder(query)
  const time = after?.[0]
  if (first?.by !== 'time' || typeof time !== 'number') return query
  return first.descending
    ? { ...query, end: Math.min(end, bucketEnd(time, granularity, timeZone)) }
    : { ...query, start: Math.max(start, time) }
}

export interface Comparison {
  readonly key: SortKey
  readonly operator: '=' | '<' | '>'
  readonly value: string | number
}

/** What makes a row come after a position: all comparisons of any one of these lists. */
export function afterPosition(order: readonly SortKey[], position: Position): Comparison[][] {
  const compare = (key: SortKey, i: number, operator: Comparison['operator']) => ({
    ...{ key, operator, value: position[i] ?? 0 },
  })
  return order.map((key, i) => [
    ...order.slice(0, i).map((before, j) => compare(before, j, '=')),
    compare(key, i, key.descending ? '<' : '>'),
  ])
}
