// What the numbers of an answer depend on besides the query: boundary, runs, what is visible. It is read
// before the query; a tag or a cursor made from it can be too old, never too new.
import type { Interval } from '#core/boundary.ts'
import type { Dropped } from '#core/report-query.ts'
import { type BoundaryRecord, boundaryInForce, readBoundary } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { readDropped } from '#platform/retention.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { MetricName } from '#schemas/metrics.ts'
import { hourOf, minuteMs } from '#schemas/paths.ts'
import type { Answers } from '../admission/answers.ts'
import { type Caller, operatorsCaller } from '../admission/caller.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import { arrivingHours, currentRuleSetVersion, publishedRuns, publishingRuns } from '../boundary.ts'
import type { Facts, FactsReader } from '../freshness.ts'
import type { Publication } from './ask-rows.ts'
import type { SealedCursor } from './cursor.ts'
import type { FinalMemory } from './final-memory.ts'
import type { ReportRequest } from './params.ts'
import { previousRange } from './previous.ts'

export interface ReportDeps {
  readonly catalogue: Queryable
  readonly gate: QueryGate
  readonly answers: Answers
  readonly memory: FinalMemory
  readonly facts: FactsReader
  /** Who asks; absent: the server itself. Cursors are sealed for its tenant. */
  readonly caller?: Caller
  /** Metrics that the store estimates. */
  readonly approximate: readonly MetricName[]
  readonly now: () => number
  /** Seals cursors. */
  readonly cursorKey: Uint8Array
  /** So long the speed view keeps what the boundary has passed. */
  readonly speedRetentionMs: number
}

export const callerIn = ({ caller = operatorsCaller }: ReportDeps): Caller => caller

export interface State extends Publication {
  /** The boundary that is answered at: the one in force, or the cursor's. */
  readonly published: BoundaryRecord
  readonly ruleSet: number
  readonly facts: Facts
  readonly dropped: Dropped
  /** Hours of the range that `publishing` publishes for the first time. */
  readonly arriving: readonly Interval[]
}

/** A query takes less, and a drop waits for none. */
const dropMarginMs = 10 * minuteMs

/**
 * The boundary of the cursor's first page. Batch below it is what it was; above it speed answers, which
 * keeps its clicks for a while after the boundary has passed them.
 */
async function pinnedBoundary(deps: ReportDeps, { boundaryId }: SealedCursor) {
  const current = await boundaryInForce(deps.catalogue)
  if (current.id === boundaryId) return current
  const pinned = await readBoundary(deps.catalogue, boundaryId)
  const keptFrom = deps.now() - deps.speedRetentionMs + dropMarginMs
  if (pinned && pinned.boundary <= current.boundary && pinned.boundary >= keptFrom) return pinned
  throw new ClickledgerError('cursor-expired')
}

/** The range of all numbers of an answer: with a comparison, also those of the period before. */
function rangeRead(request: ReportRequest, boundary: number) {
  const end = endOf(request, boundary)
  const { start } = request.compares ? previousRange({ ...request, end }) : request
  return { start, batchEnd: Math.min(end, boundary) }
}

/** What is published of the range that is answered, at a boundary. */
export async function readPublication(
  { catalogue }: Pick<ReportDeps, 'catalogue'>,
  request: ReportRequest,
  boundary: number,
): Promise<Pick<State, keyof Publication | 'arriving'>> {
  const { start, batchEnd } = rangeRead(request, boundary)
  if (start >= batchEnd) return { runs: [], publishing: [], arriving: [] }
  // In this order: a run that ends in between is seen as publishing, or as published.
  const range = [hourOf(start), batchEnd] as const
  const publishing = await publishingRuns(catalogue, ...range)
  const runs = await publishedRuns(catalogue, ...range)
  const arriving = publishing.length > 0 ? await arrivingHours(catalogue, ...range) : []
  return { publishing, runs, arriving }
}

/** @throws ClickledgerError `cursor-expired`, `unavailable` */
export async function readState(deps: ReportDeps, request: ReportRequest): Promise<State> {
  const { catalogue } = deps
  const facts = await deps.facts.read()
  const published = request.cursor
    ? await pinnedBoundary(deps, request.cursor)
    : await boundaryInForce(catalogue)
  const { start, batchEnd } = rangeRead(request, published.boundary)
  const [publication, dropped, ruleSet] = await Promise.all([
    readPublication(deps, request, published.boundary),
    readDropped(catalogue, start, batchEnd),
    currentRuleSetVersion(catalogue),
  ])
  return { published, ...publication, facts, dropped, ruleSet }
}

/** The end that is answered: `final` stops at the boundary. Never before the start. */
export function endOf({ start, end, completeness }: ReportRequest, boundary: number): number {
  return completeness === 'latest' ? end : Math.max(start, Math.min(end, boundary))
}

/** Of an answer above the boundary, also while nothing has been proven since serving started. */
export const isDegraded = ({ facts, published }: State, end: number): boolean =>
  end > published.boundary && (facts.isDegraded || facts.watermark === undefined)

/**
 * What was visible before a query may have gone out of sight by then, with every server in good
 * health. It does not come back within a query: a look afterwards tells.
 */
export async function lookAgain(deps: ReportDeps, state: State, end: number): Promise<State> {
  if (state.facts.isDegraded || end <= state.published.boundary) return state
  return (await deps.facts.isWhole()) ? state : asDegraded(state)
}

/** The state of an answer that may miss clicks: nothing is proven. */
export const asDegraded = (state: State): State => ({
  ...state,
  facts: { ...state.facts, isDegraded: true, watermark: undefined },
})
