// Serving, the scheduler of rebuilds and the embedded OLAP store belong together: the store's file
// has one owner, and both need it.
import type { SharedClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { Monitored, RunningLayer } from '#platform/layer.ts'
import { createLogger } from '#platform/log.ts'
import { openOlapStore } from '#platform/stack.ts'
import { runRebuild } from '../batch-layer/rebuild/main.ts'
import { runServing } from '../serving/main.ts'

/**
 * Starts them in this thread (the store has one of its own, rebuilds have a pool).
 * @param beside - other layers of this process, whose metrics are shown with these
 */
export async function runServe(
  settings: Settings,
  clock: SharedClock,
  beside: () => readonly Monitored[] = () => [],
): Promise<RunningLayer> {
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {}) // seen by the owner on `done`
  await using starting = new AsyncDisposableStack()
  const context = (layer: string) => ({
    ...{ settings, clock },
    logger: createLogger(layer, settings.CLICKLEDGER_LOG_LEVEL),
  })
  const olap = await openOlapStore({ settings, clock, onFailure: failed.reject })
  starting.defer(() => olap.close())
  const rebuild = settings.CLICKLEDGER_SCHEDULER
    ? await runRebuild(context('rebuild'), { olap })
    : undefined
  if (rebuild) starting.defer(() => rebuild.close())
  const serving = await runServing(context('serving'), {
    olap,
    beside: () => [...(rebuild ? [rebuild] : []), ...beside()],
    ...(rebuild ? { control: rebuild } : {}),
  })
  starting.defer(() => serving.close())
  const running = starting.move()
  return {
    ...(serving.url ? { url: serving.url } : {}),
    metrics: serving.metrics,
    readiness: serving.readiness,
    done: Promise.race([serving.done, failed.promise, ...(rebuild ? [rebuild.done] : [])]),
    close: () => running.disposeAsync(),
  }
}
