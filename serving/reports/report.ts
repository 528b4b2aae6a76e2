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
import type { Answers } from '../admission/answers.ts'
import { type Caller, operatorsCaller } from '../admission/caller.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import { currentRuleSetVersion, type PublishedRun, publishedRuns } from '../boundary.ts'
import type { Facts, FactsReader } from '../freshness.ts'
import { askRows } from './ask-rows.ts'
import { encodeCursor, fingerprintOf } from './cursor.ts'
import type { FinalMemory } from './final-memory.ts'
import type { ReportRequest } from './params.ts'

export interface ReportDeps {
  readonly catalogue: Queryable
  readonly gate: QueryGate
  readonly answers: Answers
  readonly memory: FinalMemory
  readonly facts: FactsReader
  /** Who asks; absent: the server itself. */
  readonly caller?: Caller
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
  /** The store is away: this is what was final when it last answered. */
  readonly stale?: true
  readonly age_seconds?: number
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

/** The runs behind the numbers of a request below the boundary. */
async function runsOf(catalogue: Queryable, { start, end }: ReportRequest, boundary: number) {
  const batchEnd = Math.min(end, boundary)
  return start < batchEnd ? publishedRuns(catalogue, start - (start % 3_600_000), batchEnd) : []
}

async function readState(
  { catalogue, ...deps }: ReportDeps,
  request: ReportRequest,
): Promise<State> {
  const facts = await deps.facts.read()
  const published = await boundaryInForce(catalogue)
  const { start, end } = request
  const runs = await runsOf(catalogue, request, published.boundary)
  const dropped = await readDropped(catalogue, start, Math.min(end, published.boundary))
  return { published, runs, facts, dropped, ruleSet: await currentRuleSetVersion(catalogue) }
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
 * Answers a report. While the store is away: with what is remembered of its final part, marked stale.
 * @param ifNoneMatch - the tags the client has (If-None-Match)
 * @throws ClickledgerError `bad-request` (stale cursor), `query-timeout`, `too-many-requests`, `unavailable`
 */
export async function runReport(
  deps: ReportDeps,
  request: ReportRequest,
  ifNoneMatch = '',
): Promise<Outcome> {
  try {
    return await runFreshReport(deps, request, ifNoneMatch)
  } catch (error) {
    const isAway = error instanceof ClickledgerError && error.code === 'unavailable'
    const answer = isAway ? await deps.memory.recall(request) : undefined
    if (!answer) throw error
    return { kind: 'answer', etag: `W/"stale-${fingerprintOf([request, answer.meta])}"`, answer }
  }
}

async function runFreshReport(
  deps: ReportDeps,
  request: ReportRequest,
  ifNoneMatch: string,
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
  const query = queryOf(request, end, state, offset, paged)
  const { rows, seen } =
    start < end ? await rowsNow(deps, request, query, state) : { rows: [], seen: state }
  const more = paged && rows.length > limit && offset + limit <= limits.reportOffsetMax
  const next = more
    ? encodeCursor({ offset: offset + limit, start, end: request.end, fingerprint: settled })
    : null
  const answer = {
    meta: metaOf(request, end, seen, deps.approximate, next),
    data: rowsOf(rows.slice(0, limit), request, end, seen),
  }
  deps.memory.keep(request, answer, seen.facts.at)
  // The tag of a degraded answer is asked for by nobody: what is whole again must not look the same.
  const tag = isDegraded(seen, end) ? `W/"${fingerprintOf([etag, seen.facts.at])}"` : etag
  return { kind: 'answer', etag: tag, answer }
}

/** The rows, and the state that they were seen in. */
async function rowsNow(
  deps: ReportDeps,
  request: ReportRequest,
  query: ReportQuery,
  state: State,
): Promise<{ rows: readonly ReportRow[]; seen: State }> {
  const { catalogue, gate, answers, facts, caller = operatorsCaller } = deps
  const { published, runs } = state
  const isLive = query.end > published.boundary
  // What was visible before a query may have gone out of sight by then, with every server in good
  // health. It does not come back within a query: a look afterwards tells.
  const isWhole = async () => !state.facts.isDegraded && (await facts.isWhole())
  const parts = {
    ...{ catalogue, gate, answers, caller },
    runs: () => runsOf(catalogue, request, published.boundary),
    ...(isLive ? { isWhole } : {}),
  }
  const known = { boundaryId: published.id, runs }
  const applied = isLive ? { applied: state.facts.applied } : {}
  const asked = await askRows(parts, query, { ...known, ...applied })
  const { rows } = asked
  if (asked.isWhole || state.facts.isDegraded) return { rows, seen: state }
  return {
    rows,
    seen: { ...state, facts: { ...state.facts, isDegraded: true, watermark: undefined } },
  }
}

/** Of an answer above the boundary, also while nothing has been proven since serving started. */
const isDegraded = ({ facts, published }: State, end: number): boolean =>
  end > published.boundary && (facts.isDegraded || facts.watermark === undefined)

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
