// Query parameters -> a report request. Every fault names the parameter and what it should be.
// The tenant's predicate is not here: serving/auth.ts forces it into the filters afterwards.

import { bucketStart, bucketsMax, canonicalZone, parseInstant } from '#core/buckets.ts'
import { isMetricKey, type SortKey } from '#core/report-order.ts'
import { type Filter, type Granularity, granularities } from '#core/report-query.ts'
import { type DimensionName, dimensionNames } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type MetricName, metricNames } from '#schemas/metrics.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { decodeCursor, type SealedCursor } from './cursor.ts'
import { fault, parseFilters, parseOrder, shown } from './filters.ts'
import { refuseLength } from './range-length.ts'

export const completenesses = ['latest', 'final'] as const
export type Completeness = (typeof completenesses)[number]

export const formats = ['json', 'csv', 'parquet'] as const
export type Format = (typeof formats)[number]

/** The parameters as they come; all of them are optional. */
export interface ReportParams {
  readonly start_time?: string
  readonly end_time?: string
  readonly granularity?: Granularity
  readonly dimensions?: string
  readonly filters?: string
  readonly metrics?: string
  readonly time_zone?: string
  readonly completeness?: Completeness
  readonly order?: string
  readonly compare_to?: 'previous_period'
  readonly zero_fill?: boolean
  readonly format?: Format
  readonly limit?: number
  readonly cursor?: string
}

/** What is asked, before the boundary is known. */
export interface ReportRequest {
  readonly start: number
  readonly end: number // exclusive
  readonly granularity: Granularity
  readonly timeZone: string
  readonly dimensions: readonly DimensionName[]
  readonly filters: readonly Filter[]
  readonly metrics: readonly MetricName[]
  readonly order?: readonly SortKey[]
  readonly completeness: Completeness
  /** Each row also has the counts of the same bucket of the period before. */
  readonly compares?: boolean
  /** Buckets without clicks are rows, too. */
  readonly fillsZeros?: boolean
  /** Ends at its last row: there is no next page of a topN. */
  readonly isTop?: boolean
  /** Rows of a page; of an export, rows of it all. */
  readonly limit: number
  readonly cursor?: SealedCursor
}

const defaultRangeMs = 24 * hourMs
const earliest = 0
const latest = Date.UTC(2100, 0, 1)

/** Sums cost nothing more than the clicks themselves; uniques are asked for by name. */
export const defaultMetrics: readonly MetricName[] = [
  'click_count',
  'gross_click_count',
  'duplicate_click_count',
  'fraudulent_click_count',
]

function names<T extends string>(
  parameter: string,
  text: string | undefined,
  known: readonly T[],
): T[] {
  const list = (text ?? '').split(',').map((name) => name.trim())
  const chosen = list.filter((name) => name !== '')
  for (const name of chosen) {
    if (!(known as readonly string[]).includes(name)) {
      fault(`${parameter}: ${shown(name)} is not one of ${known.join(', ')}`)
    }
  }
  return [...new Set(chosen)] as T[]
}

function instant(parameter: string, text: string, zone: string): number {
  const time = parseInstant(text, zone)
  if (time === undefined || time < earliest || time > latest) {
    return fault(
      `${parameter}: ${shown(text)} is not an ISO 8601 time from 1970 to 2100, such as 2026-11-22T05:00:00Z`,
    )
  }
  return time
}

const minuteBefore = (time: number) => Math.floor(time / minuteMs) * minuteMs
const minuteAfter = (time: number) => Math.ceil(time / minuteMs) * minuteMs

/**
 * Views hold minutes, so a range is widened to whole ones; `meta` says which range was answered.
 * Without times: the last 24 hours, cut at whole buckets so that repeating the request is cheap.
 */
function rangeOf(params: ReportParams, granularity: Granularity, zone: string, now: number) {
  const cursor = params.cursor === undefined ? undefined : decodeCursor(params.cursor)
  const end =
    params.end_time === undefined
      ? (cursor?.end ?? minuteBefore(now) + minuteMs)
      : minuteAfter(instant('end_time', params.end_time, zone))
  const start =
    params.start_time === undefined
      ? (cursor?.start ?? bucketStart(Math.max(0, end - defaultRangeMs), granularity, zone))
      : minuteBefore(instant('start_time', params.start_time, zone))
  if (start >= end) {
    const said = params.end_time === undefined ? 'now, the default of end_time' : 'end_time'
    fault(`start_time must be before ${said} (the range is half-open)`)
  }
  refuseLength(params, zone, { start, end })
  return { start, end, cursor }
}

function refuseTooMany(request: ReportRequest, most: number): void {
  const buckets = bucketsMax(request.start, request.end, request.granularity)
  if (buckets <= most) return
  throw new ClickledgerError(
    'query-too-large',
    `The range holds about ${buckets} buckets of one ${request.granularity}; the limit is ${most}. ` +
      `Narrow start_time and end_time, or choose a coarser granularity than ${request.granularity}.`,
  )
}

/** Zeros are in all buckets: no page of them begins at a row, and no rank is theirs. */
function refuseMixtures({ fillsZeros, cursor, order = [] }: ReportRequest): void {
  if (!fillsZeros) return
  if (cursor) fault('zero_fill: its answers have no further pages; leave cursor out')
  if (order.some(isMetricKey)) {
    fault('order: with zero_fill rows are ordered by time and dimensions, such as -time')
  }
}

function zoneOf(params: ReportParams): string {
  const zone = canonicalZone(params.time_zone ?? 'UTC')
  if (zone) return zone
  return fault(
    `time_zone: ${shown(params.time_zone ?? '')} is not an IANA name such as Europe/Berlin`,
  )
}

/**
 * Parses the parameters of a timeseries. Defaults: the last 24 hours by hour, all sums, UTC.
 * @param now - milliseconds
 * @throws ClickledgerError `bad-request`, `query-too-large`
 */
export function parseReport(params: ReportParams, now: number): ReportRequest {
  const timeZone = zoneOf(params)
  const granularity = params.granularity ?? 'hour'
  if (!granularities.includes(granularity)) fault('granularity: see /openapi.json')
  const asked = names('metrics', params.metrics, metricNames)
  const metrics = asked.length > 0 ? asked : defaultMetrics
  const { start, end, cursor } = rangeOf(params, granularity, timeZone, now)
  const dimensions = names('dimensions', params.dimensions, dimensionNames)
  const order = parseOrder(params.order, { dimensions, metrics })
  const request: ReportRequest = {
    ...{ start, end, granularity, timeZone, dimensions, metrics },
    filters: parseFilters(params.filters),
    completeness: params.completeness ?? 'latest',
    limit: limitOf(params, 1 + dimensions.length + metrics.length),
    ...(order.length > 0 ? { order } : {}),
    ...(params.compare_to ? { compares: true } : {}),
    ...(params.zero_fill ? { fillsZeros: true } : {}),
    ...(cursor ? { cursor } : {}),
  }
  refuseTooMany(request, rowsMax(params.format))
  refuseMixtures(request)
  return request
}

const rowsMax = (format: Format = 'json') =>
  format === 'json' ? limits.reportRowsMax : limits.exportRowsMax

/** @param columns - of a row; a page of JSON is made at once, so it has a limit of cells, too */
function limitOf({ limit, format }: ReportParams, columns: number): number {
  const cells = Math.floor(limits.reportCellsMax / columns)
  const most = rowsMax(format)
  if ((format ?? 'json') === 'json' && cells < most) {
    if (limit === undefined || limit <= cells) return limit ?? cells
    throw new ClickledgerError(
      'query-too-large',
      `limit: ${limit} rows of ${columns} columns are more than ${limits.reportCellsMax} cells; ask for limit=${cells}, and go on with \`meta.next\`, or for fewer dimensions and metrics`,
    )
  }
  if (limit === undefined || limit <= most) return limit ?? most
  const more = `csv and parquet take up to ${limits.exportRowsMax}`
  return fault(
    `limit must be <= ${most} for ${format ?? 'json'}${format === 'csv' ? '' : `; ${more}`}`,
  )
}

export interface TopNParams
  extends Pick<
    ReportParams,
    | 'start_time'
    | 'end_time'
    | 'filters'
    | 'metrics'
    | 'time_zone'
    | 'completeness'
    | 'compare_to'
    | 'format'
  > {
  readonly dimension: DimensionName
  readonly metric?: MetricName
  readonly top_n?: number
}

/** Parses the parameters of a topN. Defaults: the last 24 hours, the ten with most valid clicks. */
export function parseTopN(params: TopNParams, now: number): ReportRequest {
  const { dimension, metric = 'click_count', top_n = 10, ...rest } = params
  const request = parseReport({ ...rest, granularity: 'all' }, now)
  const others = params.metrics === undefined ? [] : request.metrics
  return {
    ...request,
    dimensions: [dimension],
    metrics: [...new Set([metric, ...others])],
    order: [{ by: metric, descending: true }],
    isTop: true,
    limit: top_n,
  }
}
