// Seals hours when their proof holds and rebuilds dirty ones, on its own; rebuilds on request in
// between. One run at a time: two over the same hours could overtake each other.

import type { SealingProof } from '#core/boundary.ts'
import { reaches } from '#core/offsets.ts'
import { boundaryInForce, publishBoundary } from '#platform/boundaries.ts'
import { persist } from '#platform/catalogue/persist.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { forgetGoneNodes } from '#platform/heartbeats.ts'
import type { Logger } from '#platform/log.ts'
import { pruneBatchView, type Retention } from '#platform/retention.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { until } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { archivedEnds } from '../archive/archive-index.ts'
import { requestArchive } from '../archive/requests.ts'
import { type DirtyHour, dirtyHours, readHours } from './dirty-hours.ts'
import { heldHours, refuseHeld } from './held-hours.ts'
import { hourly } from './hourly.ts'
import type { RebuildMetrics } from './metrics.ts'
import { type NarrowParts, narrowDirty } from './narrow-dirty.ts'
import { reachOf } from './plan.ts'
import { type Outcome, type RebuildParts, type RebuildRequest, rebuildHours } from './rebuild.ts'
import { publishedIn, runsIn } from './runs.ts'
import type { createSealing } from './sealing.ts'

const archiveWaitMs = 300_000

export interface RebuildOrder {
  /** Hours [from, to), ms; both absent: all hours that are dirty. */
  readonly from?: number
  readonly to?: number
  readonly reason: string
  /** Version to judge under; absent: the one each hour was published under, else the newest. */
  readonly ruleSet?: number
}

/** What keeps the boundary where it is, for `boundary explain`. */
export interface SealingState {
  /** Where it could move to; undefined: it is as far as lateness allows. */
  readonly candidate: number | undefined
  readonly obstacles: readonly string[]
  readonly proof: SealingProof | undefined
}

export interface SchedulerParts extends RebuildParts, NarrowParts {
  readonly log: EventLog
  readonly logger: Logger
  readonly sealing: ReturnType<typeof createSealing>
  readonly node: string
  /** Clicks of the speed view are kept this long at least, by event time. */
  readonly speedRetentionMs: number
  readonly retention: Retention
  readonly metrics: RebuildMetrics
}

export function createScheduler(parts: SchedulerParts) {
  const { catalogue, log, logger, now, sealing, node, metrics } = parts
  let sealingState: SealingState = { candidate: undefined, obstacles: [], proof: undefined }
  let tail: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work)
    tail = result.catch(() => {})
    return result
  }

  const withRules = async (
    hours: readonly { hour: number; ruleSet: number | undefined }[],
  ): Promise<RebuildRequest['hours']> => {
    const { version } = await currentRuleSet(catalogue)
    return hours.map(({ hour, ruleSet }) => ({ hour, ruleSet: ruleSet ?? version }))
  }

  const rebuild = (request: RebuildRequest, onBegin?: (runId: string) => void) =>
    metrics.counted(request.kind, rebuildHours(parts, request, onBegin))

  const seal = async (proof: SealingProof): Promise<void> => {
    const before = await boundaryInForce(catalogue)
    if (proof.boundary <= before.boundary) return
    const { archive } = await readHours(catalogue)
    // Hours that a run before has published from this very archive need not be built again: it was
    // approved meanwhile, or the process died before the boundary moved.
    const published = await publishedIn(catalogue, before.boundary, proof.boundary)
    const hours = archive
      .filter(({ hour, version }) => (published.get(hour)?.archiveVersion ?? -1) < version)
      .map(({ hour }) => hour)
      .filter((hour) => hour >= before.boundary && hour < proof.boundary)
    let run: Outcome
    if (hours.length > 0) {
      const rules = await withRules(hours.map((hour) => ({ hour, ruleSet: undefined })))
      run = await rebuild({ kind: 'seal', reason: 'sealing', hours: rules })
      if (!run) return // it waits for approval, and the boundary with it
    }
    // The hours are loaded: now, in one instant, they are the batch view's.
    const next = {
      boundary: proof.boundary,
      publishedAt: now(),
      publishedBy: node,
      reason: 'sealed by proof',
      runId: run?.runId ?? '',
      proof,
    }
    // An answer that was lost and a second try look like another publisher: only the line below is missed.
    const moved = await persist(() => publishBoundary(catalogue, before.id, next), parts.signal)
    if (moved) logger.info({ boundary: new Date(proof.boundary), ...run }, 'boundary moved')
  }

  const findDirty = async (): Promise<DirtyHour[]> => {
    const { boundary } = await boundaryInForce(catalogue)
    const { archive, built } = await readHours(catalogue)
    // An hour looks back as far as the rules it was published under, not those of today.
    const versions = new Set(built.map(({ ruleSet }) => ruleSet))
    const inUse = await Promise.all([...versions].map(parts.ruleSetOf))
    const reach = Math.max(0, ...inUse.map(reachOf))
    const dirty = dirtyHours(archive, built, boundary, reach)
    const found = dirty.filter(({ ruleSet }) => ruleSet === undefined)
    for (const ruleSet of inUse) {
      const sealed = dirty.filter((hour) => hour.ruleSet === ruleSet.version)
      found.push(...(await narrowDirty(parts, sealed, built, ruleSet)))
    }
    return found
  }

  const rebuildDirty = async (
    reason: string,
    isApproved: boolean,
    onBegin?: (runId: string) => void,
  ) => {
    const held = await heldHours(catalogue)
    const dirty = (await findDirty()).filter(({ hour }) => !held.has(hour))
    metrics.dirtyHours.set(dirty.length)
    if (dirty.length === 0) return undefined
    const hours = await withRules(dirty)
    const run = await rebuild({ kind: 'rebuild', reason, hours, isApproved }, onBegin)
    const waits = 'hours are rebuilt, and wait for approval'
    logger.info({ hours: dirty.length, reason, ...run }, run ? 'hours rebuilt' : waits)
    return run
  }

  /** Waits until everything the log holds now is archived. */
  const archiveAll = async (): Promise<void> => {
    const ends = await log.endOffsets(topics.raw.name)
    await requestArchive(catalogue, ends, now())
    await until(async () => reaches(await archivedEnds(catalogue, ends.length), ends), {
      ...{ timeoutMs: archiveWaitMs, everyMs: 50, what: 'the archive covers the log' },
    })
  }

  const rebuildRange = async (order: RebuildOrder, onBegin: (runId: string) => void) => {
    const { from, to, reason, ruleSet } = order
    if (from === undefined || to === undefined) return rebuildDirty(reason, true, onBegin)
    const { boundary } = await boundaryInForce(catalogue)
    const { archive, built } = await readHours(catalogue)
    const sealed = new Map(built.map((hour) => [hour.hour, hour.ruleSet]))
    const hours = [...new Set([...archive, ...built].map(({ hour }) => hour))]
      .filter((hour) => hour >= from && hour < Math.min(to, boundary))
      .map((hour) => ({ hour, ruleSet: ruleSet ?? sealed.get(hour) }))
    if (hours.length === 0) return undefined
    await refuseHeld(
      catalogue,
      '',
      hours.map(({ hour }) => hour),
    )
    const rules = await withRules(hours)
    return rebuild({ kind: 'rebuild', reason, hours: rules, isApproved: true }, onBegin)
  }

  /** What keeps the store small and quick, one piece in a look. */
  const chores = [
    // The speed view needs nothing that the boundary has long passed.
    async () => {
      const { boundary } = await boundaryInForce(catalogue)
      return parts.olap.dropSpeedBefore(Math.min(boundary, now() - parts.speedRetentionMs))
    },
    // The batch view needs coarser rows only; the catalogue, no reports of nodes that are gone.
    async () => {
      const { boundary } = await boundaryInForce(catalogue)
      await pruneBatchView(parts, boundary)
      await forgetGoneNodes(catalogue)
      return false
    },
    async () => parts.olap.compactBefore((await boundaryInForce(catalogue)).boundary),
  ].map((work) => hourly(work, now))

  /** One look at the proof; seals where it holds. */
  const sealIfProven = async (): Promise<void> => {
    const { boundary } = await boundaryInForce(catalogue)
    const waiting = (await runsIn(catalogue, ['awaiting-approval', 'approved'])).find(
      ({ kind }) => kind === 'seal',
    )
    const state = await sealing.step(boundary)
    const obstacles = [
      ...(state.kind === 'waiting' ? state.obstacles : []),
      ...(waiting ? [`run ${waiting.runId} waits for approval`] : []),
    ]
    const proof = state.kind === 'nothing' ? undefined : state.proof
    sealingState = { candidate: proof?.boundary, obstacles, proof }
    metrics.obstacles.set(obstacles.length)
    if (state.kind === 'proven' && !waiting) await seal(state.proof)
  }

  return {
    inTurn,
    sealingState: () => sealingState,
    /** One look: seals what can be sealed, rebuilds what is dirty. */
    tick: (): Promise<void> =>
      inTurn(async () => {
        metrics.sees((await boundaryInForce(catalogue)).boundary)
        await sealIfProven()
        await rebuildDirty('late clicks or an import', false)
        for (const chore of chores) await chore()
        metrics.sees((await boundaryInForce(catalogue)).boundary)
        metrics.looked(now())
      }),
    /**
     * Archives all that the log holds, then rebuilds.
     * @returns the run's id once it is recorded; undefined where there was nothing to rebuild
     */
    start(order: RebuildOrder): Promise<string | undefined> {
      const { promise, resolve, reject } = Promise.withResolvers<string | undefined>()
      inTurn(async () => {
        await archiveAll()
        await rebuildRange(order, resolve)
        resolve(undefined)
      }).catch((error) => {
        logger.error({ err: error }, 'a rebuild failed')
        reject(error)
      })
      return promise
    },
    /** Resolves when nothing is running or waiting. */
    idle: async () => {
      await tail
    },
  }
}
