// Query parameters -> a report request. Every fault names the parameter and what it should be.
// The tenant's predicate is not here: serving/auth.ts forces it into the filters afterwards.

import { bucketStart, bucketsMax, canonicalZone, parseInstant } from '#core/buckets.ts'
import { type Filter, type Granularity, granularities } from '#core/report-query.ts'
import { type DimensionName, dimensionNames, isDimension } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type MetricName, metricNames } from '#schemas/metrics.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { type Cursor, decodeCursor } from './cursor.ts'

export const completenesses = ['latest', 'final'] as const
export type Completeness = (typeof completenesses)[number]

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
  readonly orderBy?: MetricName
  readonly completeness: Completeness
  readonly limit: number
  readonly cursor?: Cursor
}

const defaultRangeMs = 24 * hourMs
const filterValueCharsMax = 256
const earliest = 0
const latest = Date.UTC(2100, 0, 1)

/** Sums cost nothing more than the clicks themselves; uniques are asked for by name. */
export const defaultMetrics: readonly MetricName[] = [
  'click_count',
  'gross_click_count',
  'duplicate_click_count',
  'fraudulent_click_count',
]

function fault(detail: string): never {
  throw new ClickledgerError('bad-request', detail)
}

const shown = (text: string) => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}..` : text)

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

/** Splits at `separator`, except after a backslash; the pieces keep their backslashes. */
function splitEscaped(text: string, separator: string): string[] {
  const pieces: string[] = []
  let piece = ''
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i)
    if (c === separator) {
      pieces.push(piece)
      piece = ''
    } else {
      piece += c
      if (c === '\\' && i + 1 < text.length) piece += text.charAt(++i)
    }
  }
  return [...pieces, piece]
}

const operators = { '==': 'in', '!=': 'not-in', '=^': 'prefix' } as const

function parseFilter(text: string): Filter {
  const match = /^\s*([a-z_0-9]+)\s*(==|!=|=\^)(.*)$/s.exec(text)
  if (!match) {
    return fault(
      `filters: ${shown(text)} should look like country==US,IL or device_type!=bot or campaign_id=^summer`,
    )
  }
  const [, dimension = '', operator = '', list = ''] = match
  if (!isDimension(dimension)) {
    return fault(`filters: ${shown(dimension)} is not one of ${dimensionNames.join(', ')}`)
  }
  const values = splitEscaped(list, ',').map((value) => value.replace(/\\(.)/gs, '$1'))
  if (values.length > limits.reportFilterValuesMax) {
    fault(`filters: ${dimension} has more than ${limits.reportFilterValuesMax} values`)
  }
  for (const value of values) {
    if (value.length > filterValueCharsMax) fault(`filters: a value of ${dimension} is too long`)
    if (value.includes('\u0000')) fault(`filters: a value of ${dimension} has a NUL character`)
    if (operator === '=^' && value === '') fault(`filters: ${dimension}=^ needs a prefix`)
  }
  return { dimension, kind: operators[operator as keyof typeof operators], values }
}

/**
 * Parses `country==US,IL;device_type!=bot;campaign_id=^summer`: `==` one of, `!=` none of, `=^`
 * begins with; `;` means and. A backslash takes away the meaning of `,`, `;` and `\`.
 * @throws ClickledgerError `bad-request`
 */
export function parseFilters(text: string | undefined): Filter[] {
  if (text === undefined || text.trim() === '') return []
  const pieces = splitEscaped(text, ';').filter((piece) => piece.trim() !== '')
  if (pieces.length > limits.reportFiltersMax) {
    fault(`filters: more than ${limits.reportFiltersMax}`)
  }
  return pieces.map(parseFilter)
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
  return { start, end, cursor }
}

function refuseTooMany(request: ReportRequest): void {
  const buckets = bucketsMax(request.start, request.end, request.granularity)
  if (buckets <= limits.reportRowsMax) return
  throw new ClickledgerError(
    'query-too-large',
    `The range holds about ${buckets} buckets of one ${request.granularity}; the limit is ${limits.reportRowsMax}. ` +
      `Narrow start_time and end_time, or choose a coarser granularity than ${request.granularity}.`,
  )
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
  const metrics = names('metrics', params.metrics, metricNames)
  const { start, end, cursor } = rangeOf(params, granularity, timeZone, now)
  const request: ReportRequest = {
    start,
    end,
    granularity,
    timeZone,
    dimensions: names('dimensions', params.dimensions, dimensionNames),
    filters: parseFilters(params.filters),
    metrics: metrics.length > 0 ? metrics : defaultMetrics,
    completeness: params.completeness ?? 'latest',
    limit: params.limit ?? limits.reportRowsMax,
    ...(cursor ? { cursor } : {}),
  }
  refuseTooMany(request)
  return request
}

export interface TopNParams
  extends Pick<
    ReportParams,
    'start_time' | 'end_time' | 'filters' | 'metrics' | 'time_zone' | 'completeness'
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
    orderBy: metric,
    limit: top_n,
  }
}
