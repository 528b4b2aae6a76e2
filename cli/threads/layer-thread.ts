// One layer as a thread of `start`: runs it, says when it is up, closes it when told. A failure
// ends the thread with its error, and `start` ends with it.
import { parentPort, workerData } from 'node:worker_threads'
import { attachClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { RunningLayer } from '#platform/layer.ts'
import { createLogger } from '#platform/log.ts'
import { type ThreadLayer, threadLayers } from './thread-layers.ts'

export interface LayerThreadData {
  readonly layer: ThreadLayer
  readonly settings: Settings
  readonly clock: SharedArrayBuffer
}

export type FromThread =
  | { readonly kind: 'up'; readonly url?: string }
  | { readonly kind: 'closed' }
export type ToThread = { readonly kind: 'close' }

const { layer, settings, clock } = workerData as LayerThreadData
const logger = createLogger(layer, settings.CLICKLEDGER_LOG_LEVEL)
const running: RunningLayer = await threadLayers[layer]({
  settings,
  clock: attachClock(clock),
  logger,
})
let closing = false
running.done.catch((error) => {
  if (!closing) throw error
})
const tell = (message: FromThread) => parentPort?.postMessage(message)
parentPort?.on('message', async (message: ToThread) => {
  if (message.kind !== 'close' || closing) return
  closing = true
  await running.close()
  tell({ kind: 'closed' })
  parentPort?.close()
})
tell({ kind: 'up', ...(running.url ? { url: running.url } : {}) })
