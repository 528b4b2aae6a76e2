// The thread that owns the DuckDB file: realtime ingestion on one connection, queries on others,
// so that neither waits for the thread that answers HTTP.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { DuckDBInstance } from '@duckdb/node-api'
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { isDimension } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { topics } from '#schemas/topics.ts'
import { attachClock } from '../clock.ts'
import { lockDirectory } from '../directory-lock.ts'
import { dataPaths, openEventLog, openObjectStore } from '../stack.ts'
import { serveCalls } from '../thread-calls.ts'
import type { DuckDbWorkerData } from './duckdb.ts'
import {
  dropBatch,
  type LocalLoad,
  loadedRuns,
  replaceDay,
  withDroppedHours,
} from './duckdb-batch.ts'
import { createSqlCursors } from './duckdb-cursors.ts'
import { openConnectionPool } from './duckdb-pool.ts'
import { compileReportQuery } from './duckdb-query.ts'
import { rowsOf } from './duckdb-sql.ts'
import { statementSettings } from './duckdb-statement.ts'
import { startTail } from './duckdb-tail.ts'
import { createTables, dropSpeedBefore, hourTotals } from './duckdb-views.ts'
import type { HourLoad, OlapStore } from './port.ts'

const queryConnections = 3
const statementConnections = 3

const { settings, clock: sharedClock } = workerData as DuckDbWorkerData
const clock = attachClock(sharedClock)
const dir = dataPaths(settings).olap
const scratch = join(dir, 'scratch')
const unlock = lockDirectory(dir) // before anything of another process is touched
await rm(scratch, { recursive: true, force: true })
await mkdir(scratch, { recursive: true })

const db = await DuckDBInstance.create(join(dir, 'views.duckdb'), {
  threads: '2',
  memory_limit: `${settings.CLICKLEDGER_OLAP_MEMORY}B`,
  temp_directory: scratch,
  // Automatic checkpoints stall ingestion for seconds; this moves them far apart.
  checkpoint_threshold: '512MB',
  preserve_insertion_order: 'false',
})
const writing = await db.connect()
await createTables(writing)
const loading = await db.connect()
const log = await openEventLog(settings, clock.now)
const tail = await startTail({
  log,
  connection: writing,
  scratch,
  retentionMs: settings.CLICKLEDGER_SPEED_RETENTION,
})
tail.done.catch((error) => {
  // Without ingestion the view would silently stand still: end, and let the owner say so.
  throw error
})

const queries = await openConnectionPool(db, queryConnections)
// Statements have connections of their own: reports never wait for them.
const statements = await openConnectionPool(db, statementConnections, statementSettings)
const cursors = createSqlCursors(statements)

async function runQuery(query: ReportQuery, signal?: AbortSignal): Promise<ReportRow[]> {
  return queries.lend(async (connection) => {
    signal?.throwIfAborted() // while it waited
    let timedOut = false
    const interrupt = () => connection.interrupt()
    const timer = setTimeout(() => {
      timedOut = true
      interrupt()
    }, settings.CLICKLEDGER_QUERY_TIMEOUT)
    signal?.addEventListener('abort', interrupt, { once: true })
    try {
      const rows = await rowsOf(connection, compileReportQuery(query))
      return rows.map((row) => toReportRow(row))
    } catch (error) {
      if (timedOut) throw new ClickledgerError('query-timeout')
      throw error
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', interrupt)
    }
  })
}

function toReportRow(row: Record<string, unknown>): ReportRow {
  const dimensions: Record<string, string> = {}
  const metrics: Record<string, number> = {}
  for (const [name, value] of Object.entries(row)) {
    if (isDimension(name)) dimensions[name] = String(value)
    else if (name !== 'bucket') metrics[name] = Number(value)
  }
  return { time: Number(row.bucket), dimensions, metrics }
}

// Loads run one after the other: two transactions that replace the same hour would conflict.
let loads: Promise<unknown> = Promise.resolve()
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = loads.then(work)
  loads = result.catch(() => {})
  return result
}

const store: Omit<OlapStore, 'sql'> = {
  realtime: async () => ({ applied: tail.applied }),
  async health() {
    const ends = await log.endOffsets(topics.judged.name)
    const lagRecords = ends.reduce((sum, end, p) => sum + end - (tail.applied[p] ?? 0), 0)
    return { problems: [], lagRecords: Math.max(0, lagRecords), unavailableSegments: 0 }
  },
  settled: async () => false, // what it does ends with its process
  replaceHours: (hours: readonly HourLoad[]) =>
    inTurn(async () => {
      // A store of this load's own: with it goes what it holds on the local disk.
      const objects = await openObjectStore(settings)
      try {
        for (const [day, mine] of await withDroppedHours(loading, hours)) {
          const local = async (load: HourLoad): Promise<LocalLoad> => ({
            ...load,
            paths: await Promise.all(load.files.map((key) => objects.localPath(key))),
          })
          await replaceDay(loading, day, await Promise.all(mine.map(local)))
        }
      } finally {
        await objects.close()
      }
    }),
  loadedHours: (hours) =>
    queries.lend(async (connection) => {
      const runs = await loadedRuns(connection)
      return hours.filter(({ hour, run }) => runs.get(hour) === run).map(({ hour }) => hour)
    }),
  hourTotals: (view, start, end) => queries.lend((c) => hourTotals(c, view, start, end)),
  query: runQuery,
  dropSpeedBefore: (time) =>
    inTurn(async () => {
      await dropSpeedBefore(loading, time)
      return false
    }),
  dropBatch: (grain, days) => inTurn(() => dropBatch(loading, grain, days)),
  compactBefore: async () => false, // its tables are of one piece
  async close() {
    // The thread is ended next: with a call into DuckDB still running, that aborts the process.
    await cursors.end()
    await queries.end()
    await tail.close()
    await loads
    await writing.run('CHECKPOINT').catch(() => {}) // queries may still hold a snapshot; the WAL stays
    db.closeSync()
    await log.close()
    unlock()
  },
}

if (!parentPort) throw new Error('duckdb-worker.ts runs as a thread of duckdb.ts')
serveCalls(parentPort, { ...store, ...cursors, ready: async () => true })
