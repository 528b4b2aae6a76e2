// Seals hours when their proof holds and rebuilds dirty ones, on its own; rebuilds on request in
// between. One run at a time: two over the same hours could overtake each other.

import type { SealingProof } from '#core/boundary.ts'
import { parseRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import { boundaryInForce, publishBoundary } from '#platform/boundaries.ts'
import { persist } from '#platform/catalogue/persist.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import type { Logger } from '#platform/log.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { until } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { topics } from '#schemas/topics.ts'
import { archivedEnds } from '../archive/archive-index.ts'
import { requestArchive } from '../archive/requests.ts'
import { type DirtyHour, dirtyHours, readHours } from './dirty-hours.ts'
import type { RebuildMetrics } from './metrics.ts'
import { type NarrowParts, narrowDirty } from './narrow-dirty.ts'
import { type HourRules, reachOf } from './plan.ts'
import {
  type RebuildParts,
  type RebuildRequest,
  type RebuildResult,
  rebuildHours,
} from './rebuild.ts'
import type { createSealing } from './sealing.ts'

const archiveWaitMs = 300_000
const pruneEveryMs = 3_600_000

export interface RebuildOrder {
  /** Hours [from, to), ms; both absent: all hours that are dirty. */
  readonly from?: number
  readonly to?: number
  readonly reason: string
  /** Version to judge under; absent: the one each hour was published under, else the newest. */
  readonly ruleSet?: number
}

export interface SchedulerParts extends RebuildParts, NarrowParts {
  readonly log: EventLog
  readonly logger: Logger
  readonly sealing: ReturnType<typeof createSealing>
  readonly node: string
  /** Clicks of the speed view are kept this long at least, by event time. */
  readonly speedRetentionMs: number
  readonly metrics: RebuildMetrics
}

export function createScheduler(parts: SchedulerParts) {
  const { catalogue, log, logger, now, sealing, node, metrics } = parts
  let prunedAt = Number.NEGATIVE_INFINITY
  const ruleSets = new Map<number, RuleSet>()
  let tail: Promise<unknown> = Promise.resolve()

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = tail.then(work)
    tail = result.catch(() => {})
    return result
  }

  const ruleSetOf = async (version: number): Promise<RuleSet> => {
    const known = ruleSets.get(version)
    if (known) return known
    const [row] = await catalogue.query<{ body: string }>(
      'SELECT body FROM rule_sets WHERE version = $1',
      [version],
    )
    if (!row) throw new ClickledgerError('not-found', `no rule set has version ${version}`)
    const parsed = parseRuleSet(JSON.parse(row.body))
    ruleSets.set(version, parsed)
    return parsed
  }

  const withRules = async (
    hours: readonly { hour: number; ruleSet: number | undefined }[],
  ): Promise<HourRules[]> => {
    const newest = await currentRuleSet(catalogue)
    return Promise.all(
      hours.map(async ({ hour, ruleSet }) => ({
        hour,
        ruleSet: ruleSet === undefined ? newest : await ruleSetOf(ruleSet),
      })),
    )
  }

  const rebuild = (request: RebuildRequest, onBegin?: (runId: string) => void) =>
    metrics.counted(request.kind, rebuildHours(parts, request, onBegin))

  const seal = async (proof: SealingProof): Promise<void> => {
    const before = await boundaryInForce(catalogue)
    if (proof.boundary <= before.boundary) return
    const { archive } = await readHours(catalogue)
    const hours = archive
      .map(({ hour }) => hour)
      .filter((hour) => hour >= before.boundary && hour < proof.boundary)
    let run: RebuildResult | undefined
    if (hours.length > 0) {
      const rules = await withRules(hours.map((hour) => ({ hour, ruleSet: undefined })))
      run = await rebuild({ kind: 'seal', reason: 'sealing', hours: rules })
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
    const inUse = await Promise.all([...versions].map(ruleSetOf))
    const reach = Math.max(0, ...inUse.map(reachOf))
    const dirty = dirtyHours(archive, built, boundary, reach)
    const found = dirty.filter(({ ruleSet }) => ruleSet === undefined)
    for (const ruleSet of inUse) {
      const sealed = dirty.filter((hour) => hour.ruleSet === ruleSet.version)
      found.push(...(await narrowDirty(parts, sealed, built, ruleSet)))
    }
    return found
  }

  const rebuildDirty = async (reason: string, onBegin?: (runId: string) => void) => {
    const dirty = await findDirty()
    metrics.dirtyHours.set(dirty.length)
    if (dirty.length === 0) return undefined
    const hours = await withRules(dirty)
    return rebuild({ kind: 'rebuild', reason, hours }, onBegin)
  }

  /** Waits until everything the log holds now is archived. */
  const archiveAll = async (): Promise<void> => {
    const ends = await log.endOffsets(topics.raw.name)
    await requestArchive(catalogue, ends, now())
    await until(
      async () => {
        const archived = await archivedEnds(catalogue, ends.length)
        return ends.every((end, partition) => (archived[partition] ?? 0) >= end)
      },
      { timeoutMs: archiveWaitMs, everyMs: 50, what: 'the archive covers the log' },
    )
  }

  const rebuildRange = async (order: RebuildOrder, onBegin: (runId: string) => void) => {
    const { from, to, reason, ruleSet } = order
    if (from === undefined || to === undefined) return rebuildDirty(reason, onBegin)
    const { boundary } = await boundaryInForce(catalogue)
    const { archive, built } = await readHours(catalogue)
    const sealed = new Map(built.map((hour) => [hour.hour, hour.ruleSet]))
    const hours = [...new Set([...archive, ...built].map(({ hour }) => hour))]
      .filter((hour) => hour >= from && hour < Math.min(to, boundary))
      .map((hour) => ({ hour, ruleSet: ruleSet ?? sealed.get(hour) }))
    if (hours.length === 0) return undefined
    const rules = await withRules(hours)
    return rebuild({ kind: 'rebuild', reason, hours: rules }, onBegin)
  }

  /** The speed view needs nothing that the boundary has long passed. */
  const pruneSpeedView = async (): Promise<void> => {
    if (now() - prunedAt < pruneEveryMs) return
    prunedAt = now()
    const { boundary } = await boundaryInForce(catalogue)
    await parts.olap.dropSpeedBefore(Math.min(boundary, now() - parts.speedRetentionMs))
  }

  return {
    /** One look: seals what can be sealed, rebuilds what is dirty. */
    tick: (): Promise<void> =>
      inTurn(async () => {
        const { boundary } = await boundaryInForce(catalogue)
        metrics.sees(boundary)
        const state = await sealing.step(boundary)
        metrics.obstacles.set(state.kind === 'waiting' ? state.obstacles.length : 0)
        if (state.kind === 'proven') await seal(state.proof)
        await rebuildDirty('late clicks or an import')
        await pruneSpeedView()
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
