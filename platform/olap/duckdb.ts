// The OLAP store in a DuckDB file, behind a thread of its own. One process at a time owns the file.
import { Worker } from 'node:worker_threads'
import type { SqlAnswer, SqlStatement, SqlValue } from '#core/sql.ts'
import type { SharedClock } from '../clock.ts'
import type { Settings } from '../config.ts'
import { callWorker } from '../thread-calls.ts'
import type { SqlCursors } from './duckdb-cursors.ts'
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
  const thread = callWorker<ThreadStore>(worker)
  await thread.ready()
  const own: Pick<OlapStore, 'close' | 'sql' | 'query'> = {
    // Rows that are read are all there is: nobody is told before.
    query: (query, signal) => thread.query(query, ...(signal ? [signal] : [])),
    sql: (statement, signal) => cursorAnswer(thread, statement, signal),
    async close() {
      closing = true
      await thread.close()
      await worker.terminate()
    },
  }
  return new Proxy(thread as unknown as OlapStore, {
    get: (target, method) => Reflect.get(Object.hasOwn(own, method) ? own : target, method),
  })
}

type ThreadStore = Omit<OlapStore, 'sql'> & SqlCursors & { ready(): Promise<boolean> }

/** The answer to a statement, fetched batch by batch as it is read. */
export async function cursorAnswer(
  thread: SqlCursors,
  statement: SqlStatement,
  signal?: AbortSignal,
): Promise<SqlAnswer> {
  const more = signal ? [signal] : []
  const { cursor, columns } = await thread.sqlOpen(statement, ...more)
  return {
    columns,
    rows: rowsOf(
      () => thread.sqlNext(cursor, ...more),
      () => thread.sqlClose(cursor),
    ),
  }
}

async function* rowsOf(next: () => Promise<SqlValue[][] | undefined>, close: () => Promise<void>) {
  try {
    for (let rows = await next(); rows; rows = await next()) yield rows
  } finally {
    await close()
  }
}
