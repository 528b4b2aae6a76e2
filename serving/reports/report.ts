// A report request -> an answer, at one boundary. Its tag is that of the numbers it was made from: where
// they changed while it was made, the tag is good for nobody.
import { bucketStart } from '#core/buckets.ts'
import { reaches } from '#core/offsets.ts'
import { isMetricKey, positionOf, totalOrder } from '#core/report-order.ts'
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type Answer, createRowMaker, metaOf } from './answer.ts'
import { type AskedRows, askRows, type Publication } from './ask-rows.ts'
import { assertGenuine, encodeCursor, fingerprintOf } from './cursor.ts'
import type { ReportRequest } from './params.ts'
import { previousRange, readPrevious } from './previous.ts'
import {
  asDegraded,
  callerIn,
  endOf,
  isDegraded,
  type ReportDeps,
  readPublication,
  readState,
  type State,
} from './state.ts'
import { fillZeros } from './zero-fill.ts'

export type { Answer } from './answer.ts'
export type { ReportDeps } from './state.ts'

export interface Tagged {
  readonly etag: string
  /** Never changes under its URL: a cursor's page, wholly below the boundary. */
  readonly isPinned: boolean
}

export type Outcome =
  | (Tagged & { readonly kind: 'not-modified' })
  | (Tagged & { readonly kind: 'answer'; readonly answer: Answer })

/** Times a page is read at most, where hours of its range are published meanwhile. */
const attemptsMax = 2

function queryFingerprint({ limit, cursor, ...asked }: ReportRequest): string {
  return fingerprintOf(asked)
}

export const runsFingerprint = ({ runs, publishing }: Publication) =>
  fingerprintOf([runs, publishing])

/** Changes exactly when the watermark passes the end of another bucket. */
function passedBuckets({ end, granularity, timeZone }: ReportRequest, watermark: number): number {
  if (watermark >= end) return end
  return granularity === 'all' ? 0 : bucketStart(watermark, granularity, timeZone)
}

/** Below the boundary it depends on the runs alone: not on the boundary's next move, nor on time. */
export function etagOf(request: ReportRequest, state: State): string {
  const { published, facts } = state
  const end = endOf(request, published.boundary)
  // Time passing changes a row only where the watermark passes the end of a bucket.
  const live =
    end > published.boundary
      ? [published.id, facts.applied, passedBuckets(request, facts.watermark ?? 0)]
      : []
  const page = [request.limit, request.cursor?.text ?? '']
  const settled = [queryFingerprint(request), runsFingerprint(state), end]
  return `W/"${fingerprintOf([settled, page, live])}"`
}

/** Whether rows keep their places in the order while clicks come: else a next page would lie. */
export function isSteady(
  { approximate }: Pick<ReportDeps, 'approximate'>,
  request: ReportRequest,
  { published }: State,
): boolean {
  const isFinal = endOf(request, published.boundary) <= published.boundary
  const isEstimated = (name: string) => approximate.some((metric) => metric === name)
  return (request.order ?? []).every(
    (key) => !isMetricKey(key) || (isFinal && !isEstimated(key.by)),
  )
}

export function queryOf(request: ReportRequest, state: State, limit: number): ReportQuery {
  const { start, granularity, timeZone, dimensions, filters, metrics, order, cursor } = request
  const { published, dropped, arriving } = state
  const { boundary } = published
  return {
    ...{ start, end: endOf(request, boundary), boundary, dropped, granularity, timeZone },
    ...(arriving.length > 0 ? { arriving } : {}),
    ...{ dimensions, filters, metrics, limit },
    ...(order ? { order } : {}),
    ...(cursor ? { after: cursor.after } : {}),
  }
}

/** Asks the store itself; an empty range has no rows. */
export const askStore = async (deps: ReportDeps, query: ReportQuery) =>
  query.start < query.end ? deps.gate.query(query, callerIn(deps)) : []

/** Asks the store, or takes the answer to an equal question before. */
async function askOnce(
  deps: ReportDeps,
  request: ReportRequest,
  state: State,
  query: ReportQuery,
): Promise<AskedRows> {
  if (query.start >= query.end) return { rows: [], isWhole: true, isSettled: true }
  const { gate, answers, facts } = deps
  const { published, runs, publishing } = state
  const isLive = query.end > published.boundary
  // What was visible before a query may have gone out of sight by then, with every server in good
  // health. The rows may tell themselves; else, as it does not come back within a query, a look afterwards.
  const isWhole = async (applied?: readonly number[]) => {
    if (state.facts.isDegraded) return false
    return (applied && reaches(applied, state.facts.applied)) || facts.isWhole()
  }
  const parts = {
    ...{ gate, answers, caller: callerIn(deps) },
    publication: () => readPublication(deps, request, published.boundary),
    ...(isLive ? { isWhole } : {}),
  }
  const known = { boundaryId: published.id, runs, publishing }
  return askRows(parts, query, { ...known, ...(isLive ? { applied: state.facts.applied } : {}) })
}

/** What stands beside the rows in the period before. */
export async function previousOf(
  request: ReportRequest,
  state: State,
  rows: readonly ReportRow[],
  ask: (query: ReportQuery) => Promise<readonly ReportRow[]>,
) {
  if (!request.compares) return undefined
  const asked = { ...request, end: endOf(request, state.published.boundary) }
  const { cursor, order, ...before } = { ...asked, ...previousRange(asked) }
  return readPrevious(asked, rows, queryOf(before, state, 0), ask)
}

/** A page, and whether there are more rows. */
async function readPage(deps: ReportDeps, request: ReportRequest, state: State) {
  const { limit, fillsZeros, isTop } = request
  let isSettled = true
  let isWhole = true
  const ask = async (query: ReportQuery) => {
    const asked = await askOnce(deps, request, state, query)
    isSettled &&= asked.isSettled
    isWhole &&= asked.isWhole
    return asked.rows
  }
  // One more than asked for tells whether there is a next page.
  const query = queryOf(request, state, isTop ? limit : limit + 1)
  const found = await ask(query)
  const rows = fillsZeros ? fillZeros(found, query, limit) : found.slice(0, limit)
  const previous = await previousOf(request, state, rows, ask)
  const seen = isWhole || state.facts.isDegraded ? state : asDegraded(state)
  return { rows, previous, isMore: !fillsZeros && found.length > limit, isSettled, state: seen }
}

/** Reads a page, and again where hours of its range were published meanwhile. */
async function readSettled(deps: ReportDeps, request: ReportRequest, first: State) {
  for (let state = first, attempt = 1; ; attempt++) {
    const page = await readPage(deps, request, state)
    if (page.isSettled || attempt === attemptsMax) return page
    state = { ...state, ...(await readPublication(deps, request, state.published.boundary)) }
  }
}

/** @throws ClickledgerError `bad-request`, `cursor-expired` */
function checkContinues({ cursor, ...request }: ReportRequest, state: State): void {
  if (!cursor) return
  const [query, runs] = cursor.fingerprint.split('.')
  if (query !== queryFingerprint({ ...request })) {
    throw new ClickledgerError(
      'bad-request',
      'cursor: it belongs to another query; send the same parameters with it, or begin again without it',
    )
  }
  if (runs !== runsFingerprint(state)) throw new ClickledgerError('cursor-expired')
}

function cursorAfter(
  deps: ReportDeps,
  request: ReportRequest,
  state: State,
  row: ReportRow,
): string {
  const { start, end } = request
  const cursor = {
    ...{ start, end, boundaryId: state.published.id },
    after: positionOf(totalOrder(request), row),
    fingerprint: `${queryFingerprint(request)}.${runsFingerprint(state)}`,
  }
  return encodeCursor(cursor, { key: deps.cursorKey, tenant: callerIn(deps).tenant })
}

/** Reads what a request is answered from. @throws ClickledgerError `bad-request`, `cursor-expired` */
export async function openReport(deps: ReportDeps, request: ReportRequest): Promise<State> {
  const { cursor } = request
  if (cursor) assertGenuine(cursor, { key: deps.cursorKey, tenant: callerIn(deps).tenant })
  const state = await readState(deps, request)
  checkContinues(request, state)
  return state
}

export const hasTag = (ifNoneMatch: string, etag: string): boolean =>
  ifNoneMatch.split(',').some((tag) => tag.trim() === etag)

/**
 * Answers a report. While the store is away: with what is remembered of its final part, marked stale.
 * @param ifNoneMatch - the tags the client has (If-None-Match)
 * @throws ClickledgerError `bad-request` (a cursor that was changed, or of another query or tenant),
 *   `cursor-expired`, `query-too-large`, `query-timeout`, `too-many-requests`, `unavailable`
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
    const etag = `W/"stale-${fingerprintOf([request, answer.meta])}"`
    return { kind: 'answer', etag, isPinned: false, answer }
  }
}

async function runFreshReport(
  deps: ReportDeps,
  request: ReportRequest,
  ifNoneMatch: string,
): Promise<Outcome> {
  const first = await openReport(deps, request)
  const { boundary } = first.published
  const end = endOf(request, boundary)
  const isPinned = request.cursor !== undefined && end <= boundary && first.publishing.length === 0
  const etag = etagOf(request, first)
  if (hasTag(ifNoneMatch, etag)) return { kind: 'not-modified', etag, isPinned }
  const { rows, previous, isMore, isSettled, state } = await readSettled(deps, request, first)
  checkContinues(request, state)
  const last = rows.at(-1)
  const continues = last && isMore && isSettled && isSteady(deps, request, state)
  const next = continues ? cursorAfter(deps, request, state, last) : null
  const rowOf = createRowMaker(request, end, state)
  const { approximate } = deps
  const truncated = isMore && next === null
  const answer = {
    meta: metaOf({ request, end, state, approximate, truncated, next }),
    data: rows.map((row) => rowOf(row, previous)),
  }
  if (isSettled) deps.memory.keep(request, answer, state.facts.at)
  const isWhole = isSettled && !isDegraded(state, end)
  const tag = etagOf(request, state)
  return {
    kind: 'answer',
    // The tag of a degraded answer is asked for by nobody: what is whole again must not look the same.
    etag: isWhole ? tag : `W/"${fingerprintOf([tag, state.facts.at, performance.now()])}"`,
    isPinned: isPinned && isWhole,
    answer,
  }
}
