// What every layer's main gets and gives: the same shape whether it runs as a thread of `start` or
// as a process of its own.

import type { Clock } from './clock.ts'
import type { Settings } from './config.ts'
import type { Logger } from './log.ts'

export interface LayerContext {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
}

export interface RunningLayer {
  /** Where it listens, if it does: `http://127.0.0.1:8080`. */
  readonly url?: string
  /** Fulfilled after close; rejected when the layer fails and its process should end. */
  readonly done: Promise<void>
  /** Accepts no more, drains within a deadline, releases everything. */
  close(): Promise<void>
}

/**
 * A layer whose work is one loop that ends when `stopping` is aborted and releases what it holds.
 * @param run - the loop, with its release; its failure shows on `done`
 */
export function loopLayer(run: Promise<void>, stopping: AbortController): RunningLayer {
  run.catch(() => {}) // seen by the owner on `done`
  return {
    done: run,
    async close() {
      stopping.abort()
      await run.catch(() => {})
    },
  }
}
