// What every layer's main gets and gives: the same shape whether it runs as a thread of `start` or
// as a process of its own.

import type { Registry } from 'prom-client'
import type { Clock } from './clock.ts'
import type { Settings } from './config.ts'
import type { Logger } from './log.ts'

export interface LayerContext {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
}

/** Whether a layer does its work now, and what it says about it. */
export interface Readiness {
  readonly ready: boolean
  readonly [detail: string]: unknown
}

/** What monitoring may ask of anything that runs. */
export interface Monitored {
  /** Metrics as Prometheus reads them. */
  metrics(): Promise<string>
  /** May reject: not ready either. */
  readiness(): Promise<Readiness>
}

export interface RunningLayer extends Monitored {
  /** Where it listens, if it does: `http://127.0.0.1:8080`. */
  readonly url?: string
  /** Fulfilled after close; rejected when the layer fails and its process should end. */
  readonly done: Promise<void>
  /** Accepts no more, drains within a deadline, releases everything. */
  close(): Promise<void>
}

export interface LoopLayer {
  /** The loop, with its release; its failure shows on `done`. */
  readonly run: Promise<void>
  /** Aborted: the loop ends. */
  readonly stopping: AbortController
  readonly registry: Registry
  readonly readiness: () => Readiness
}

/** A layer whose work is one loop that ends when told to and releases what it holds. */
export function loopLayer({ run, stopping, registry, readiness }: LoopLayer): RunningLayer {
  run.catch(() => {}) // seen by the owner on `done`
  return {
    done: run,
    metrics: () => registry.metrics(),
    readiness: async () => readiness(),
    async close() {
      stopping.abort()
      await run.catch(() => {})
    },
  }
}
