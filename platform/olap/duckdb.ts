// The OLAP store in a DuckDB file, behind a thread of its own. One process at a time owns the file.
import { Worker } from 'node:worker_threads'
import type { SharedClock } from '../clock.ts'
import type { Settings } from '../config.ts'
import { callWorker } from '../thread-calls.ts'
import type { OlapStore } from './port.ts'

export interface DuckDbWorkerData {
  readonly settings: Settings
  readonly clock: SharedArrayBuffer
}

export interface DuckDbOptions {
  readonly settings: Settings
  readonly clock: SharedClock
  /** Called when the thread ends without having been closed. */
  readonly onFailure: (error: Error) => void
}

/** Opens the store and starts its realtime ingestion. */
export async function openDuckDbStore(options: DuckDbOptions): Promise<OlapStore> {
  const { settings, clock, onFailure } = options
  const workerData: DuckDbWorkerData = { settings, clock: clock.shared }
  const worker = new Worker(new URL('./duckdb-worker.ts', import.meta.url), { workerData })
  let closing = false
  worker.on('error', (error) => {
    if (!closing) onFailure(error)
  })
  const store = callWorker<OlapStore & { ready(): Promise<boolean> }>(worker)
  await store.ready()
  return new Proxy(store, {
    get(target, method, receiver) {
      if (method !== 'close') return Reflect.get(target, method, receiver)
      return async () => {
        closing = true
        await target.close()
        await worker.terminate()
      }
    },
  })
}
