// Rows of a store -> rows of an answer, and what `meta` says of them.
import { provenanceOf } from '#core/boundary.ts'
import { bucketEnd, formatInstant } from '#core/buckets.ts'
import type { ReportRow } from '#core/report-query.ts'
import { type MetricName, sketchLogK } from '#schemas/metrics.ts'
import type { ReportRequest } from './params.ts'
import { type Previous, previousRange } from './previous.ts'
import { isDegraded, type State } from './state.ts'

export interface AnswerMeta {
  readonly start_time: string
  /** Exclusive. Earlier than asked for where `completeness=final` cut the range at the boundary. */
  readonly end_time: string
  readonly granularity: string
  readonly time_zone: string
  readonly completeness: string
  readonly boundary: string
  readonly watermark: string | null
  /** Newest clicks may be missing: the store takes its realtime ingestion up, or up again. */
  readonly degraded: boolean
  readonly rule_set: number
  readonly runs: readonly {
    run_id: string
    rule_set: number
    hours: number
    published_at: string
  }[]
  /** Runs that replace hours of the range now: a number may be the one before or the one after. */
  readonly publishing: readonly string[]
  readonly approximate: readonly MetricName[]
  readonly approximate_error: {
    readonly relative_standard_error: number
    readonly relative_error_95: number
  } | null
  readonly previous: { readonly start_time: string; readonly end_time: string } | null
  /** There are more rows, and no `next`: such an order moves while clicks come. */
  readonly truncated: boolean
  readonly next: string | null
  /** The store is away: this is what was final when it last answered. */
  readonly stale?: true
  readonly age_seconds?: number
}

export type AnswerRow = Readonly<Record<string, string | number>>

export interface Answer {
  readonly meta: AnswerMeta
  readonly data: readonly AnswerRow[]
}

const iso = (time: number) => new Date(time).toISOString()

/**
 * Relative standard error of a merged HLL sketch: 1.04 / sqrt(2^k) (Flajolet et al., HyperLogLog, 2007).
 * Small sets, of some hundreds, are counted exactly.
 */
const sketchError = 1.04 / Math.sqrt(2 ** sketchLogK)
const shownError = {
  relative_standard_error: Number(sketchError.toFixed(4)),
  relative_error_95: Number((1.96 * sketchError).toFixed(4)),
}

/** Columns of a row in their order: JSON, CSV and Parquet have the same. */
export function columnsOf({ dimensions, metrics, compares }: ReportRequest): string[] {
  const previous = [...metrics.map((name) => `previous_${name}`), 'previous_provenance']
  return ['time', ...dimensions, ...metrics, 'provenance', ...(compares ? previous : [])]
}

/** Makes rows of answers; formats each instant once. */
export function createRowMaker(request: ReportRequest, end: number, state: State) {
  const { granularity, timeZone, metrics } = request
  const texts = new Map<number, string>()
  const textOf = (time: number) => {
    const known = texts.get(time)
    if (known !== undefined) return known
    const text = formatInstant(time, timeZone)
    texts.set(time, text)
    return text
  }
  const provenance = (time: number, ends: number) =>
    provenanceOf(
      Math.min(ends, bucketEnd(time, granularity, timeZone)),
      state.published.boundary,
      state.facts.watermark ?? 0,
    )
  const previousEnd = request.compares ? previousRange({ ...request, end }).end : 0
  return (row: ReportRow, previous?: Previous): AnswerRow => {
    const own = {
      time: textOf(row.time),
      ...row.dimensions,
      ...row.metrics,
      provenance: provenance(row.time, end),
    }
    if (!previous) return own
    const before = previous.of(row)
    return {
      ...own,
      ...Object.fromEntries(
        metrics.map((name) => [`previous_${name}`, before?.metrics[name] ?? 0]),
      ),
      previous_provenance: provenance(previous.timeOf(row.time), previousEnd),
    }
  }
}

export interface Described {
  readonly request: ReportRequest
  readonly end: number
  readonly state: State
  readonly approximate: readonly MetricName[]
  readonly truncated: boolean
  readonly next: string | null
}

export function metaOf(described: Described): AnswerMeta {
  const { request, end, state, truncated, next } = described
  const { watermark } = state.facts
  const { timeZone } = request
  const approximate = described.approximate.filter((name) => request.metrics.includes(name))
  const shown = (time: number) => formatInstant(time, timeZone)
  const previous = request.compares ? previousRange({ ...request, end }) : undefined
  return {
    start_time: shown(request.start),
    end_time: shown(end),
    granularity: request.granularity,
    time_zone: timeZone,
    completeness: request.completeness,
    boundary: iso(state.published.boundary),
    watermark: watermark === undefined ? null : iso(watermark),
    degraded: isDegraded(state, end),
    rule_set: state.ruleSet,
    runs: state.runs.map((run) => ({ ...run, published_at: iso(run.published_at) })),
    publishing: state.publishing,
    approximate,
    approximate_error: approximate.length > 0 ? shownError : null,
    previous: previous
      ? { start_time: shown(previous.start), end_time: shown(previous.end) }
      : null,
    ...{ truncated, next },
  }
}
