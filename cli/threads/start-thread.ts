// Starts a layer in a thread of its own and gives it the shape of a layer in this one.
import { Worker } from 'node:worker_threads'
import type { SharedClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { RunningLayer } from '#platform/layer.ts'
import { callWorker, revived } from '#platform/thread-calls.ts'
import { within } from '#platform/wait.ts'
import type { LayerCalls, LayerThreadData } from './layer-thread.ts'
import type { ThreadLayer } from './thread-layers.ts'

/** Longer than any layer's own drain: a thread that hangs must not keep the process for ever. */
const closeTimeoutMs = 30_000

/** Resolves when the layer is up. @throws what made it fail to start */
export async function startThread(
  layer: ThreadLayer,
  settings: Settings,
  clock: SharedClock,
): Promise<RunningLayer> {
  const workerData: LayerThreadData = { layer, settings, clock: clock.shared }
  const worker = new Worker(new URL('./layer-thread.ts', import.meta.url), { workerData })
  const done = Promise.withResolvers<void>()
  done.promise.catch(() => {}) // seen by the owner on `done`
  worker.on('error', (error) => done.reject(revived(error)))
  worker.on('exit', (code) => done.reject(new Error(`the ${layer} thread ended with code ${code}`)))
  const calls = callWorker<LayerCalls>(worker)
  // The first answer comes when the layer is up. A failure says more on `done` than to the call.
  const url = await Promise.race([calls.url(), done.promise.then(() => undefined)])
  return {
    ...(url ? { url } : {}),
    done: done.promise,
    metrics: () => calls.metrics(),
    readiness: () => calls.readiness(),
    async close() {
      await within(calls.close(), closeTimeoutMs).catch(() => {})
      done.resolve()
      await worker.terminate()
    },
  }
}
