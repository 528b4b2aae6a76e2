// A run as a transaction over hours: plan -> stage -> diff -> (approval) -> publish -> verify. Nothing
// that a query can see changes before publish; an hour changes in one instant. Each step is recorded, so
// a run that was broken off goes on where it stood: staged hours are not staged again, published ones
// not published again.
import { randomUUID } from 'node:crypto'
import type { RuleSet } from '#core/rules/rule-set.ts'
import { readBoundary } from '#platform/boundaries.ts'
import { persist } from '#platform/catalogue/persist.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs } from '#schemas/paths.ts'
import type { RunKind, RunPlan } from '#schemas/runs.ts'
import { changesByHour, type Diff, type DiffParts, summarize, wrongHours } from './diff.ts'
import { dirtyHours, readHours } from './dirty-hours.ts'
import {
  type OnlyAdvertiser,
  planRebuild,
  type RebuildTask,
  reachOf,
  readArchiveVersion,
} from './plan.ts'
import { type PublicationParts, publishHours } from './publication.ts'
import {
  beginRun,
  endRun,
  failureOf,
  moveRun,
  publishedIn,
  type Run,
  type RunHour,
  readRun,
  recordStaged,
  savePlan,
  stagedHours,
} from './runs.ts'
import type { StagedHour } from './stage-worker.ts'
import { type SweepParts, sweepStaged } from './sweep.ts'

/** How often a run that stages looks whether somebody has cancelled it. */
const cancelCheckMs = 500

export interface RebuildParts extends PublicationParts, DiffParts, SweepParts {
  readonly catalogue: Catalogue
  readonly taskClicksMax: number
  /** Tasks at once. */
  readonly workers: number
  /** Keeps publications apart from the scheduler's own; absent: this is the scheduler's own. */
  inTurn?<T>(work: () => Promise<T>): Promise<T>
  /** Runs one task on a worker. */
  stage(runId: string, task: RebuildTask): Promise<StagedHour[]>
  /** Runs tasks on Apache Spark; `onStaged` is called as each is staged. */
  stageOnSpark?(
    runId: string,
    tasks: readonly RebuildTask[],
    signal: AbortSignal,
    onStaged: (staged: readonly StagedHour[]) => Promise<void>,
  ): Promise<unknown>
  ruleSetOf(version: number): Promise<RuleSet>
}

export interface RebuildRequest {
  readonly kind: RunKind
  readonly reason: string
  readonly hours: RunPlan['hours']
  /** Somebody asked for just this: the guard rails do not stop it. */
  readonly isApproved?: boolean
}

export interface RebuildResult {
  readonly runId: string
  readonly hours: number
  readonly clicks: number
  readonly changedHours: number
  /** Time of staging, ms: what later plans expect is taken from it. */
  readonly stagedMs: number
}

/** `undefined`: it waits for approval. */
export type Outcome = RebuildResult | undefined

/** A signal that aborts when the run is cancelled, or the layer closes. */
async function watched<T>(
  { catalogue, signal }: RebuildParts,
  runId: string,
  work: (cancelled: AbortSignal) => Promise<T>,
): Promise<T> {
  const cancelling = new AbortController()
  const timer = setInterval(() => {
    readRun(catalogue, runId)
      .then((run) => run?.status === 'cancelled' && cancelling.abort())
      .catch(() => {}) // looked at again
  }, cancelCheckMs)
  try {
    return await work(AbortSignal.any([cancelling.signal, ...(signal ? [signal] : [])]))
  } finally {
    clearInterval(timer)
  }
}

/** Does the work of each item, some at a time; after a failure no more are begun. */
async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items]
  let failed = false
  const lane = async (): Promise<void> => {
    for (let item = waiting.shift(); item && !failed; item = waiting.shift()) {
      await work(item).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  const settled = await Promise.allSettled(Array.from({ length: lanes }, lane))
  const rejected = settled.find((result) => result.status === 'rejected')
  if (rejected) throw rejected.reason
}

async function stageMissing(parts: RebuildParts, run: Run, archiveVersion: number): Promise<void> {
  const { catalogue, taskClicksMax, ruleSetOf } = parts
  const { hours, advertiserId } = run.plan
  const done = new Set((await stagedHours(catalogue, run.runId)).map(({ hour }) => hour))
  const missing = hours.filter(({ hour }) => !done.has(hour))
  const withRules = await Promise.all(
    missing.map(async ({ hour, ruleSet }) => ({ hour, ruleSet: await ruleSetOf(ruleSet) })),
  )
  const only = advertiserId === undefined ? undefined : await onlyOf(parts, advertiserId, missing)
  const request = { runId: run.runId, hours: withRules, taskClicksMax, archiveVersion, only }
  const plan = await planRebuild(catalogue, request)
  await watched(parts, run.runId, async (cancelled) => {
    // Hours of judging need not be done again because the catalogue is away for a moment.
    const record = (staged: readonly StagedHour[]) =>
      persist(() => recordStaged(catalogue, run.runId, archiveVersion, staged), cancelled)
    if (run.plan.engine === 'spark') {
      await parts.stageOnSpark?.(run.runId, plan.tasks, cancelled, record)
      return
    }
    await inLanes(plan.tasks, parts.workers, async (task) => {
      cancelled.throwIfAborted()
      await record(await parts.stage(run.runId, task))
    })
  })
}

async function onlyOf(
  { catalogue }: RebuildParts,
  advertiserId: string,
  hours: RunPlan['hours'],
): Promise<OnlyAdvertiser> {
  const starts = hours.map(({ hour }) => hour)
  const published = await publishedIn(catalogue, Math.min(...starts), Math.max(...starts) + hourMs)
  return { advertiserId, published: [...published.values()] }
}

/**
 * What is published must not be built from more of the archive than this run is: a run that lay for
 * long would take clicks back that came in meanwhile.
 */
function refuseOutdated(staged: readonly RunHour[], published: ReadonlyMap<number, RunHour>): void {
  const newer = staged.find(({ runId, hour, archiveVersion }) => {
    const known = published.get(hour)
    return known && known.runId !== runId && known.archiveVersion > archiveVersion
  })
  if (!newer) return
  throw new ClickledgerError(
    'run-conflict',
    `${new Date(newer.hour).toISOString()} was built anew from a newer archive meanwhile; start another run`,
  )
}

/** Whether the archive has got clicks since the hour was published, that its verdicts depend on. */
async function newClicks(
  parts: RebuildParts,
  run: Run,
  published: ReadonlyMap<number, RunHour>,
): Promise<(hour: number) => boolean> {
  const versions = new Set(run.plan.hours.map(({ ruleSet }) => ruleSet))
  const reach = Math.max(
    0,
    ...(await Promise.all([...versions].map(async (v) => reachOf(await parts.ruleSetOf(v))))),
  )
  const { archive } = await readHours(parts.catalogue)
  const built = [...published.values()].map(({ hour, archiveVersion, ruleSet }) => ({
    ...{ hour, version: archiveVersion, ruleSet },
  }))
  const dirty = dirtyHours(archive, built, Number.POSITIVE_INFINITY, reach)
  const hours = new Set(dirty.map(({ hour }) => hour))
  return (hour) => hours.has(hour)
}

/** Reads the published totals back and compares them with what was staged. */
async function verify({ olap }: RebuildParts, runId: string, staged: readonly StagedHour[]) {
  const wrong = await wrongHours(olap, staged)
  if (wrong.length === 0) return
  throw new ClickledgerError(
    'internal',
    `run ${runId}: the store answers otherwise than staged for ${wrong.length} hours, first ${new Date(wrong[0] ?? 0).toISOString()}`,
  )
}

interface Prepared {
  readonly staged: readonly RunHour[]
  readonly published: ReadonlyMap<number, RunHour>
  readonly stagedMs: number
}

/** Stages what is missing of a run. @returns it beside what is published of the same hours */
export async function stageAlone(parts: RebuildParts, run: Run): Promise<Prepared> {
  const { catalogue } = parts
  const begun = performance.now()
  const { archiveVersion } = run.plan
  if (archiveVersion === undefined) throw new Error('a run is planned before it is staged')
  if (run.status !== 'approved') await stageMissing(parts, run, archiveVersion)
  const stagedMs = performance.now() - begun
  const staged = await stagedHours(catalogue, run.runId)
  const starts = staged.map(({ hour }) => hour)
  const published = await publishedIn(catalogue, Math.min(...starts), Math.max(...starts) + hourMs)
  return { staged, published, stagedMs }
}

/** The boundary; before there is one, everything is below it. */
const inForce = async ({ catalogue }: RebuildParts): Promise<number> =>
  (await readBoundary(catalogue))?.boundary ?? Number.POSITIVE_INFINITY

/** Stages a run and says what publishing it would change. */
export async function stageRun(parts: RebuildParts, run: Run): Promise<Prepared & { diff: Diff }> {
  const prepared = await stageAlone(parts, run)
  const { staged, published } = prepared
  const live = {
    hasNewClicks: await newClicks(parts, run, published),
    boundary: await inForce(parts),
  }
  const changes = changesByHour(parts, staged, published, live)
  return { ...prepared, diff: await summarize(changes, parts.rails) }
}

/**
 * Takes a planned run as far as it goes: to its end, or to where it waits for approval.
 * @throws whatever stopped it; what was not published stays as it was
 */
export async function executeRun(
  parts: RebuildParts,
  run: Run,
  { isApproved = false } = {},
): Promise<Outcome> {
  const { catalogue, signal } = parts
  const move = (...[from, to, diff]: [Run['status'][], Run['status'], Diff?]) =>
    persist(() => moveRun(catalogue, run.runId, from, to, diff), signal)
  if (run.status !== 'approved') await move(['planned'], 'running')
  const { staged, published, stagedMs, diff } = await stageRun(parts, run)
  refuseOutdated(staged, published)
  const asks = run.plan.approvesItself === false || diff.violationsTotal > 0
  if (asks && !isApproved && run.status !== 'approved') {
    await move(['running'], 'awaiting-approval', diff)
    return undefined
  }
  const { inTurn = (work) => work() } = parts
  await inTurn(async () => {
    await move(['running', 'approved'], 'publishing', diff)
    await publishHours(parts, run, staged, published, await inForce(parts))
    await verify(parts, run.runId, staged)
  })
  const hours = staged.map(({ hour }) => hour)
  await sweepStaged(parts, hours).catch(() => {}) // what stays is removed after the hour's next run
  const clicks = staged.reduce((sum, h) => sum + h.valid + h.duplicate + h.invalid, 0)
  const { changedHours } = diff
  return { runId: run.runId, hours: staged.length, clicks, changedHours, stagedMs }
}

/** Records how a run went: its end, unless it waits, was broken off by closing, or cancelled. */
export async function recorded(
  { catalogue, now, signal }: RebuildParts,
  runId: string,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  const end = (status: 'done' | 'failed', result: unknown) =>
    persist(() => endRun(catalogue, runId, status, now(), result), signal)
  try {
    const outcome = await work()
    if (outcome) await end('done', outcome)
    return outcome
  } catch (error) {
    // Where even this fails, the next start records it.
    if (!signal?.aborted) await end('failed', failureOf(error)).catch(() => {})
    throw error
  }
}

/**
 * Rebuilds hours from the archive and publishes them.
 * @param onBegin - called with the run id as soon as the run is recorded
 * @throws whatever stopped it; the run is recorded as failed, and what was not published stays as it was
 */
export async function rebuildHours(
  parts: RebuildParts,
  request: RebuildRequest,
  onBegin?: (runId: string) => void,
): Promise<Outcome> {
  const { catalogue, now, signal } = parts
  const { kind, reason, hours, isApproved = false } = request
  const runId = randomUUID()
  const ruleSet = Math.max(...hours.map((hour) => hour.ruleSet))
  const plan: RunPlan = { hours }
  const run: Run = { runId, kind, reason, plan, status: 'planned' }
  await persist(() => beginRun(catalogue, { ...run, ruleSet, startedAt: now() }), signal)
  onBegin?.(runId)
  return recorded(parts, runId, async () => {
    const archiveVersion = await readArchiveVersion(catalogue)
    const planned = { ...plan, archiveVersion }
    await persist(() => savePlan(catalogue, runId, planned, ruleSet), signal)
    return executeRun(parts, { ...run, plan: planned }, { isApproved })
  })
}
