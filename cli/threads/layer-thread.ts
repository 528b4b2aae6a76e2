// One layer as a thread of `start`: runs it and answers calls about it. A failure ends the thread
// with its error, and `start` ends with it.
import { parentPort, workerData } from 'node:worker_threads'
import { attachClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { Monitored, RunningLayer } from '#platform/layer.ts'
import { createLogger } from '#platform/log.ts'
import { serveCalls } from '#platform/thread-calls.ts'
import { type ThreadLayer, threadLayers } from './thread-layers.ts'

export interface LayerThreadData {
  readonly layer: ThreadLayer
  readonly settings: Settings
  readonly clock: SharedArrayBuffer
}

/** What the thread answers, once its layer runs. */
export interface LayerCalls extends Monitored {
  url(): Promise<string | undefined>
  close(): Promise<void>
}

const port = parentPort
if (!port) throw new Error('this module is a thread of `start`')
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
serveCalls(port, {
  url: async () => running.url,
  metrics: () => running.metrics(),
  readiness: () => running.readiness(),
  close() {
    closing = true
    return running.close()
  },
} satisfies LayerCalls)
