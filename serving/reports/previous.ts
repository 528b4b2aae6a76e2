// The period before the one that is asked for, as long as it, bucket for bucket: days, weeks and months
// are counted back in the calendar of the time zone, so Monday stands beside Monday's bucket and a day
// of 23 hours beside one of 24.
import { bucketEnd, bucketStart, instantOf, zoneOffsetMs } from '#core/buckets.ts'
import type { Filter, ReportQuery, ReportRow } from '#core/report-query.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { fault } from './filters.ts'
import type { ReportRequest } from './params.ts'

type Asked = Pick<ReportRequest, 'start' | 'end' | 'granularity' | 'timeZone'>

const stepMs = { minute: minuteMs, hour: hourMs, day: dayMs, week: 7 * dayMs } as const
/** A filter by the values of a page helps only while there are few of them. */
const filteredValuesMax = 1_000

const monthOf = (local: number) => {
  const date = new Date(local)
  return date.getUTCFullYear() * 12 + date.getUTCMonth()
}

/** The same place in another month; the last day where it has fewer. */
function addMonths(local: number, months: number): number {
  const date = new Date(local)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth() + months]
  const days = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  const day = Math.min(date.getUTCDate(), days)
  return Date.UTC(year, month, day) + (((local % dayMs) + dayMs) % dayMs)
}

/** A function from an instant to the same place in the period before. */
export function shiftBack({ start, end, granularity, timeZone }: Asked): (time: number) => number {
  const toLocal = (time: number) => time + zoneOffsetMs(time, timeZone)
  const [from, to] = [toLocal(start), toLocal(end)]
  if (granularity === 'month') {
    const months = Math.max(1, monthOf(to - 1) - monthOf(from) + 1)
    return (time) => instantOf(addMonths(toLocal(time), -months), timeZone)
  }
  const isDays = from % dayMs === 0 && to % dayMs === 0
  if (granularity === 'all' && !isDays) return (time) => time - (end - start)
  if (granularity === 'minute' || granularity === 'hour') {
    const step = stepMs[granularity]
    return (time) => time - Math.ceil((end - start) / step) * step
  }
  const step = stepMs[granularity === 'all' ? 'day' : granularity]
  const length = Math.ceil((to - from) / step) * step
  return (time) => instantOf(toLocal(time) - length, timeZone)
}

/** The range of the period before. @throws ClickledgerError `bad-request` where it lies before 1970 */
export function previousRange(asked: Asked): { start: number; end: number } {
  const shift = shiftBack(asked)
  const [start, end] = [shift(asked.start), shift(asked.end)]
  if (start < 0) fault('compare_to: the period before begins before 1970')
  // Where clocks are put forward, a shorter month or a missing hour must not make it overlap.
  return { start, end: Math.min(end, asked.start) }
}

const keyOf = (time: number, { dimensions }: ReportRow, names: ReportQuery['dimensions']) =>
  JSON.stringify([time, ...names.map((name) => dimensions[name])])

/** The values of a page's dimensions, so that the store leaves everything else out. */
function filtersOf(rows: readonly ReportRow[], names: ReportQuery['dimensions']): Filter[] {
  return names.flatMap((dimension): Filter[] => {
    const values = new Set(rows.map((row) => row.dimensions[dimension] ?? ''))
    return values.size > filteredValuesMax ? [] : [{ dimension, kind: 'in', values: [...values] }]
  })
}

export interface Previous {
  /** Counts of the bucket that stands beside a row; undefined where it has no clicks. */
  of(row: ReportRow): ReportRow | undefined
  /** Start of the bucket beside the one at `time`. */
  timeOf(time: number): number
}

/**
 * Asks for the counts beside the rows of a page.
 * @param query - of the page, over the previous range and without `after`
 * @throws ClickledgerError `query-too-large`
 */
export async function readPrevious(
  asked: Asked,
  rows: readonly ReportRow[],
  query: ReportQuery,
  ask: (query: ReportQuery) => Promise<readonly ReportRow[]>,
): Promise<Previous> {
  const { granularity, timeZone } = asked
  const shift = shiftBack(asked)
  const timeOf = (time: number) =>
    granularity === 'all' ? query.start : bucketStart(shift(time), granularity, timeZone)
  const most = limits.reportRowsMax * 2
  const filters = [...query.filters, ...filtersOf(rows, query.dimensions)]
  const times = new Set(rows.map(({ time }) => timeOf(time)))
  const first = times.values().reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const last = times.values().reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const start = Math.max(query.start, first)
  const end = Math.min(query.end, bucketEnd(last, granularity, timeZone))
  const isEmpty = rows.length === 0 || start >= end
  const found = isEmpty ? [] : await ask({ ...query, start, end, filters, limit: most + 1 })
  if (found.length > most) {
    throw new ClickledgerError(
      'query-too-large',
      `compare_to: the period before has more than ${most} rows beside this page. Ask for fewer rows with limit, or for fewer dimensions.`,
    )
  }
  const known = new Map(found.map((row) => [keyOf(row.time, row, query.dimensions), row]))
  return { timeOf, of: (row) => known.get(keyOf(timeOf(row.time), row, query.dimensions)) }
}
