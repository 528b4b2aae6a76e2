// Starts a layer in a thread of its own and gives it the shape of a layer in this one.
import { Worker } from 'node:worker_threads'
import type { SharedClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { RunningLayer } from '#platform/layer.ts'
import { revived } from '#platform/thread-calls.ts'
import type { FromThread, LayerThreadData, ToThread } from './layer-thread.ts'
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
  const up = Promise.withResolvers<string | undefined>()
  const done = Promise.withResolvers<void>()
  done.promise.catch(() => {}) // seen by the owner on `done`
  const closed = Promise.withResolvers<void>()
  worker.on('message', (message: FromThread) => {
    if (message.kind === 'up') up.resolve(message.url)
    else closed.resolve()
  })
  const fail = (error: Error) => {
    up.reject(error)
    done.reject(error)
    closed.resolve()
  }
  worker.on('error', (error) => fail(revived(error)))
  worker.on('exit', (code) => {
    if (code === 0) {
      done.resolve()
      closed.resolve()
    } else fail(new Error(`the ${layer} thread ended with code ${code}`))
  })
  const url = await up.promise
  return {
    ...(url ? { url } : {}),
    done: done.promise,
    async close() {
      worker.postMessage({ kind: 'close' } satisfies ToThread)
      const timer = setTimeout(() => closed.resolve(), closeTimeoutMs)
      await closed.promise
      clearTimeout(timer)
      done.resolve()
      await worker.terminate()
    },
  }
}
