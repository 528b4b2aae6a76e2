// Rebuilds and the boundary: Parquet in, authoritative aggregates out. Wiring only.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from '#platform/config.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type RunningLayer } from '#platform/layer.ts'
import { createLease } from '#platform/lease.ts'
import { createRegistry } from '#platform/metrics.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { createRuleSets } from '#platform/rule-sets.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { openWorkerPool, type WorkerPool } from '../pool.ts'
import { runReconciliation } from '../reconcile/run.ts'
import { stageWithSpark } from '../spark/spark-stage.ts'
import type { AffectedInput } from './affected-worker.ts'
import type { Change, CompareInput } from './compare-worker.ts'
import { createRebuildMetrics } from './metrics.ts'
import type { RebuildTask } from './plan.ts'
import { createQueue } from './queue.ts'
import { restoreBatchView } from './restore-view.ts'
import { endAbandonedRuns } from './runs.ts'
import { createScheduler, type RebuildOrder } from './scheduler.ts'
import { createSealing } from './sealing.ts'
import type { StagedHour } from './stage-worker.ts'

/** How often somebody's request is looked for. */
const queueEveryMs = 250

const workOn = (pool: WorkerPool, settings: Settings) => ({
  stage: (runId: string, task: RebuildTask): Promise<StagedHour[]> =>
    pool.run('stageTask', { runId, task, settings }),
  compare: (hours: CompareInput['hours'], by: CompareInput['by']): Promise<Change[]> =>
    pool.run('compareHours', { hours, by, settings }),
  affected: (input: Omit<AffectedInput, 'settings'>): Promise<number[]> =>
    pool.run('affectedHours', { ...input, settings }),
})

export interface RunningRebuild extends RunningLayer {
  /** See scheduler.ts, `start`. */
  startRebuild(order: RebuildOrder): Promise<string | undefined>
}

/** Runs the scheduler of rebuilds until it is closed. */
export async function runRebuild(
  { settings, clock, logger }: LayerContext,
  { olap }: { olap: OlapStore },
): Promise<RunningRebuild> {
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, clock.now)
  await rm(join(dataPaths(settings).scratch, 'rebuild'), { recursive: true, force: true })
  const objects = await openObjectStore(settings)
  const pool = openWorkerPool(settings.CLICKLEDGER_REBUILD_WORKERS)
  const sealing = createSealing({
    catalogue,
    log,
    now: clock.now,
    latenessMs: settings.CLICKLEDGER_LATENESS,
    nodeSilenceMs: settings.CLICKLEDGER_NODE_SILENCE,
  })
  const registry = createRegistry('rebuild')
  const metrics = createRebuildMetrics(registry)
  const stopping = new AbortController()
  const { CLICKLEDGER_NODE_ID: node } = settings
  const lease = createLease({
    ...{ catalogue, name: 'rebuild', holder: node },
    onError: (error) => logger.warn({ err: error }, 'the lease was not renewed'),
  })
  const parts = {
    ...{ catalogue, log, objects, olap, logger, metrics, lease },
    ...{ now: clock.now, signal: stopping.signal, ruleSetOf: createRuleSets(catalogue) },
    rails: {
      percent: settings.CLICKLEDGER_GUARD_PERCENT,
      clicks: settings.CLICKLEDGER_GUARD_CLICKS,
    },
    workers: settings.CLICKLEDGER_REBUILD_WORKERS,
    kept: settings.CLICKLEDGER_RUNS_KEPT,
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    ...workOn(pool, settings),
    stageOnSpark: (
      runId: string,
      tasks: readonly RebuildTask[],
      signal: AbortSignal,
      onStaged: (staged: readonly StagedHour[]) => Promise<void>,
    ) => stageWithSpark({ settings, objects, logger, runId, tasks, signal, onStaged }),
  }
  const { CLICKLEDGER_SPEED_RETENTION: speedRetentionMs } = settings
  const retention = {
    minuteMs: settings.CLICKLEDGER_MINUTE_RETENTION,
    hourMs: settings.CLICKLEDGER_HOUR_RETENTION,
  }
  const scheduler = createScheduler({ ...parts, sealing, node, speedRetentionMs, retention })
  const queue = createQueue({ ...parts, inTurn: scheduler.inTurn })

  let isInOrder = false
  let isSettled = false
  /** What the process before this one had handed to the store may have been done only now: once more. */
  const settle = async (): Promise<void> => {
    if (isSettled) return
    if (await olap.settled()) {
      lease.assertHeld()
      await restoreBatchView(catalogue, olap)
    }
    isSettled = true
  }
  /** Whether this process does the work: it has the lease, and has put things in order after taking it. */
  const isActive = async (): Promise<boolean> => {
    if (lease.isHeld && isInOrder) return true
    isInOrder = false
    if (!(await lease.acquire())) return false
    await endAbandonedRuns(catalogue, clock.now())
    await restoreBatchView(catalogue, olap)
    isInOrder = true
    isSettled = false
    scheduler.inTurn(settle).catch(() => {}) // before any rebuild; the next look tries again
    return true
  }
  const beat = async (): Promise<void> => {
    const { candidate = null, obstacles, proof = null } = scheduler.sealingState()
    const body = { isActive: lease.isHeld, candidate, obstacles, proof }
    await reportHeartbeat(catalogue, 'rebuild', node, clock.now(), body)
  }
  let isFailing = false
  const look = async (): Promise<void> => {
    if (await isActive()) {
      await scheduler.inTurn(settle)
      await scheduler.tick()
    }
    await beat()
  }
  const looking = async () => {
    while (!stopping.signal.aborted) {
      isFailing = await look().then(
        () => false,
        (error) => {
          metrics.failures.inc()
          logger.error({ err: error }, 'sealing failed')
          return true
        },
      )
      await pause(settings.CLICKLEDGER_SEAL_INTERVAL, stopping.signal)
    }
  }
  const working = async () => {
    while (!stopping.signal.aborted) {
      const isBusy = lease.isHeld && isInOrder && (await queue.step().catch(() => false))
      if (!isBusy) await pause(queueEveryMs, stopping.signal)
    }
  }
  await isActive() // before anybody asks for numbers
  const reconciling = runReconciliation({
    ...{ ...parts, settings, isActive: () => lease.isHeld && isInOrder },
    compare: (input) => pool.run('findDifferences', { ...input, settings }),
  })
  const ended = Promise.all([looking(), working(), reconciling]).then(async () => {
    await scheduler.idle()
    await pool.close()
    await lease.release().catch(() => {}) // it runs out by itself
    await Promise.all([log.close(), objects.close(), catalogue.close()])
  })
  return {
    ...loopLayer({ run: ended, stopping, registry, readiness: () => ({ ready: !isFailing }) }),
    startRebuild: async (order) => {
      if (lease.isHeld && isInOrder) return scheduler.start(order)
      throw new ClickledgerError(
        'unavailable',
        'Another process seals and rebuilds: ask that one, or use /v1/backfills, which any takes.',
      )
    },
  }
}
