// Rebuilds and the boundary: Parquet in, authoritative aggregates out. Wiring only.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Piscina } from 'piscina'
import { type LayerContext, loopLayer, type RunningLayer } from '#platform/layer.ts'
import { createRegistry } from '#platform/metrics.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { dataPaths, openCatalogue, openEventLog } from '#platform/stack.ts'
import { pause } from '#platform/wait.ts'
import { createRebuildMetrics } from './metrics.ts'
import { restoreBatchView } from './restore-view.ts'
import { failAbandonedRuns } from './runs.ts'
import { createScheduler, type RebuildOrder } from './scheduler.ts'
import { createSealing } from './sealing.ts'

const worker = (file: string, name: string) => ({
  filename: new URL(file, import.meta.url).href,
  name,
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
  await failAbandonedRuns(catalogue, clock.now())
  await restoreBatchView(catalogue, olap)
  const pool = new Piscina({
    minThreads: 0,
    maxThreads: settings.CLICKLEDGER_REBUILD_WORKERS,
    idleTimeout: 10_000,
  })
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
  const scheduler = createScheduler({
    ...{ catalogue, log, olap, logger, sealing, metrics, now: clock.now, signal: stopping.signal },
    node: settings.CLICKLEDGER_NODE_ID,
    speedRetentionMs: settings.CLICKLEDGER_SPEED_RETENTION,
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    stage: (runId, task) =>
      pool.run({ runId, task, settings }, worker('stage-worker.ts', 'stageTask')),
    affected: (input) =>
      pool.run({ ...input, settings }, worker('affected-worker.ts', 'affectedHours')),
  })
  let isFailing = false
  const run = async () => {
    while (!stopping.signal.aborted) {
      isFailing = await scheduler.tick().then(
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
  const ended = run().finally(async () => {
    await scheduler.idle()
    await pool.destroy()
    await Promise.all([log.close(), catalogue.close()])
  })
  return {
    ...loopLayer({ run: ended, stopping, registry, readiness: () => ({ ready: !isFailing }) }),
    startRebuild: (order) => scheduler.start(order),
  }
}
