// A report request -> an answer, at the boundary that is published now. The tag is made before the
// query: what changes in between makes the next tag differ, never the other way round.
import { provenanceOf } from '#core/boundary.ts'
import { bucketEnd, bucketStart, formatInstant } from '#core/buckets.ts'
import type { Dropped, ReportQuery, ReportRow } from '#core/report-query.ts'
import type { BoundaryRecord } from '#platform/boundaries.ts'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { readDropped } from '#platform/retention.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import type { MetricName } from '#schemas/metrics.ts'
import { currentRuleSetVersion, type PublishedRun, publishedRuns } from '../boundary.ts'
import type { Facts, FactsReader } from '../freshness.ts'
import type { QueryGate } from '../query-gate.ts'
import { encodeCursor, fingerprintOf } from './cursor.ts'
import type { ReportRequest } from './params.ts'

export interface ReportDeps {
  readonly catalogue: Queryable
  readonly gate: QueryGate
  readonly facts: FactsReader
  /** Metrics that the store estimates. */
  readonly approximate: readonly MetricName[]
}

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
  readonly approximate: readonly MetricName[]
  readonly next: string | null
}

export interface Answer {
  readonly meta: AnswerMeta
  readonly data: readonly Record<string, string | number>[]
}

export type Outcome =
  | { readonly kind: 'not-modified'; readonly etag: string }
  | { readonly kind: 'answer'; readonly etag: string; readonly answer: Answer }

/** What the numbers of an answer depend on besides the query. */
interface State {
  readonly published: BoundaryRecord
  readonly runs: readonly PublishedRun[]
  readonly ruleSet: number
  readonly facts: Facts
  readonly dropped: Dropped
}

const iso = (time: number) => new Date(time).toISOString()

async function readState(deps: ReportDeps, request: ReportRequest): Promise<State> {
  const facts = await deps.facts.read()
  const published = await boundaryInForce(deps.catalogue)
  const batchEnd = Math.min(request.end, published.boundary)
  const runs =
    request.start < batchEnd
      ? await publishedRuns(deps.catalogue, request.start - (request.start % 3_600_000), batchEnd)
      : []
  const dropped = await readDropped(deps.catalogue, request.start, batchEnd)
  return { published, runs, facts, dropped, ruleSet: await currentRuleSetVersion(deps.catalogue) }
}

/** The end that is answered: `final` stops at the boundary. Never before the start. */
function endOf(request: ReportRequest, boundary: number): number {
  if (request.completeness === 'latest') return request.end
  return Math.max(request.start, Math.min(request.end, boundary))
}

/** Changes exactly when the watermark passes the end of another bucket. */
function passedBuckets({ end, granularity, timeZone }: ReportRequest, watermark: number): number {
  if (watermark >= end) return end
  return granularity === 'all' ? 0 : bucketStart(watermark, granularity, timeZone)
}

function fingerprints(request: ReportRequest, { published, runs, facts }: State) {
  const { limit, cursor, ...asked } = request
  const settled = fingerprintOf([asked, published.id, runs])
  const { watermark, applied } = facts
  const aboveBoundary = endOf(request, published.boundary) > published.boundary
  // Time passing changes a row only where the watermark passes the end of a bucket.
  const live = aboveBoundary ? [applied, passedBuckets(request, watermark ?? 0)] : []
  return { settled, etag: `W/"${fingerprintOf([settled, limit, cursor?.offset ?? 0, live])}"` }
}

function offsetOf(request: ReportRequest, settled: string): number {
  if (!request.cursor) return 0
  if (request.cursor.fingerprint === settled) return request.cursor.offset
  throw new ClickledgerError(
    'bad-request',
    'cursor: it belongs to another query, or published numbers have changed since; begin again without it',
  )
}

function rowOf(row: ReportRow, request: ReportRequest, end: number, state: State, time: string) {
  const { granularity, timeZone } = request
  const bucket = Math.min(end, bucketEnd(row.time, granularity, timeZone))
  const watermark = state.facts.watermark ?? 0
  return {
    time,
    ...row.dimensions,
    ...row.metrics,
    provenance: provenanceOf(bucket, state.published.boundary, watermark),
  }
}

function rowsOf(rows: readonly ReportRow[], request: ReportRequest, end: number, state: State) {
  const texts = new Map<number, string>()
  return rows.map((row) => {
    let text = texts.get(row.time)
    if (text === undefined) {
      text = formatInstant(row.time, request.timeZone)
      texts.set(row.time, text)
    }
    return rowOf(row, request, end, state, text)
  })
}

function metaOf(
  request: ReportRequest,
  end: number,
  state: State,
  approximate: readonly MetricName[],
  next: string | null,
): AnswerMeta {
  const { watermark } = state.facts
  return {
    start_time: formatInstant(request.start, request.timeZone),
    end_time: formatInstant(end, request.timeZone),
    granularity: request.granularity,
    time_zone: request.timeZone,
    completeness: request.completeness,
    boundary: iso(state.published.boundary),
    watermark: watermark === undefined ? null : iso(watermark),
    degraded: isDegraded(state, end),
    rule_set: state.ruleSet,
    runs: state.runs.map((run) => ({ ...run, published_at: iso(run.published_at) })),
    approximate: approximate.filter((metric) => request.metrics.includes(metric)),
    next,
  }
}

/**
 * Answers a report.
 * @param ifNoneMatch - the tags the client has (If-None-Match)
 * @throws ClickledgerError `bad-request` (stale cursor), `query-timeout`, `too-many-requests`, `unavailable`
 */
export async function runReport(
  deps: ReportDeps,
  request: ReportRequest,
  ifNoneMatch = '',
): Promise<Outcome> {
  const state = await readState(deps, request)
  const { settled, etag } = fingerprints(request, state)
  const offset = offsetOf(request, settled)
  if (ifNoneMatch.split(',').some((tag) => tag.trim() === etag)) {
    return { kind: 'not-modified', etag }
  }
  const end = endOf(request, state.published.boundary)
  const { start, limit } = request
  // A topN ends at its n-th row: there is no next page of it.
  const paged = request.orderBy === undefined
  const rows = start < end ? await deps.gate.query(queryOf(request, end, state, offset, paged)) : []
  const seen = await lookAgain(deps, state, end)
  const more = paged && rows.length > limit && offset + limit <= limits.reportOffsetMax
  const next = more
    ? encodeCursor({ offset: offset + limit, start, end: request.end, fingerprint: settled })
    : null
  return {
    kind: 'answer',
    // The tag of a degraded answer is asked for by nobody: what is whole again must not look the same.
    etag: isDegraded(seen, end) ? `W/"${fingerprintOf([etag, seen.facts.at])}"` : etag,
    answer: {
      meta: metaOf(request, end, seen, deps.approximate, next),
      data: rowsOf(rows.slice(0, limit), request, end, seen),
    },
  }
}

/** Of an answer above the boundary, also while nothing has been proven since serving started. */
const isDegraded = ({ facts, published }: State, end: number): boolean =>
  end > published.boundary && (facts.isDegraded || facts.watermark === undefined)

/**
 * What was visible before a query may have gone out of sight by then, with every server in good
 * health. It does not come back within a query: a look afterwards tells.
 */
async function lookAgain(deps: ReportDeps, state: State, end: number): Promise<State> {
  if (state.facts.isDegraded || end <= state.published.boundary) return state
  if (await deps.facts.isWhole()) return state
  return { ...state, facts: { ...state.facts, isDegraded: true, watermark: undefined } }
}

function queryOf(
  request: ReportRequest,
  end: number,
  { published, dropped }: State,
  offset: number,
  paged: boolean,
): ReportQuery {
  const { granularity, timeZone, dimensions, filters, metrics, orderBy } = request
  return {
    start: request.start,
    end,
    boundary: published.boundary,
    dropped,
    granularity,
    timeZone,
    dimensions,
    filters,
    metrics,
    ...(orderBy ? { orderBy } : {}),
    // One more than asked for tells whether there is a next page.
    limit: paged ? request.limit + 1 : request.limit,
    offset,
  }
}
