// Buckets without clicks as rows of zeros: all buckets of the range, for each combination of dimension
// values that has a click somewhere in it. An answer with zeros is one page, or it is refused.
import { bucketEnd, bucketStart } from '#core/buckets.ts'
import { comparePositions, positionOf, totalOrder } from '#core/report-order.ts'
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { ClickledgerError } from '#schemas/errors.ts'

function bucketsOf({ start, end, granularity, timeZone }: ReportQuery): number[] {
  if (granularity === 'all') return start < end ? [start] : []
  const buckets: number[] = []
  for (let time = bucketStart(start, granularity, timeZone); time < end; ) {
    buckets.push(time)
    const ends = bucketEnd(time, granularity, timeZone)
    // A change by half an hour begins a bucket of hours within another.
    time = Math.max(time + 1, bucketStart(ends, granularity, timeZone))
  }
  return buckets
}

/**
 * @param rows - all rows of the query
 * @param limit - rows with zeros, at most
 * @throws ClickledgerError `query-too-large`
 */
export function fillZeros(
  rows: readonly ReportRow[],
  query: ReportQuery,
  limit: number,
): ReportRow[] {
  const { dimensions, metrics } = query
  const comboOf = (row: ReportRow) => JSON.stringify(dimensions.map((name) => row.dimensions[name]))
  const combos = new Map(rows.map((row) => [comboOf(row), row.dimensions]))
  if (dimensions.length === 0) combos.set('[]', {})
  const buckets = bucketsOf(query)
  if (buckets.length * combos.size > limit) {
    throw new ClickledgerError(
      'query-too-large',
      `zero_fill: ${buckets.length} buckets of ${combos.size} combinations are more than ${limit} rows. Narrow the range, choose a coarser granularity, ask for fewer dimensions, or raise limit.`,
    )
  }
  const known = new Map(rows.map((row) => [`${row.time} ${comboOf(row)}`, row]))
  const zeros = Object.fromEntries(metrics.map((name) => [name, 0]))
  const filled = buckets.flatMap((time) =>
    [...combos].map(
      ([key, values]) =>
        known.get(`${time} ${key}`) ?? { time, dimensions: values, metrics: zeros },
    ),
  )
  const order = totalOrder(query)
  const placed = filled.map((row) => ({ row, at: positionOf(order, row) }))
  return placed.sort((a, b) => comparePositions(order, a.at, b.at)).map(({ row }) => row)
}
