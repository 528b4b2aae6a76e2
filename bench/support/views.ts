// Two filled views of the embedded OLAP store, and one plain DuckDB table of the same clicks.
// The batch view is loaded as a rebuild loads it; the speed view is written by SQL in the small
// transactions' shape: each batch of clicks aggregated by itself, so it is hardly rolled up.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import { createClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { openDuckDbStore } from '#platform/olap/duckdb.ts'
import { addToSpeedViewSql, createTables } from '#platform/olap/duckdb-views.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { hourMs, stagedPath } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { madeClicksSql } from './archive.ts'

/** Clicks that the embedded tail applies together at a few thousand clicks a second. */
const tailBatch = 500

export interface MadeViews {
  readonly store: OlapStore
  /** Of the store and its event log. */
  readonly settings: Settings
  /** Holds the table `clicks`: one row for each click of both views, with its status. */
  readonly plain: DuckDBConnection
  readonly clicks: number
  readonly start: number
  readonly boundary: number
  readonly end: number
  readonly loadMs: number
  close(): Promise<void>
}

const fields = ['event_time', ...dimensionNames, 'visitor', 'ip_hash'].map((name) => ({ name }))
const status = `CASE WHEN hash(visitor, event_time) % 100 < 88 THEN 'valid'
  WHEN hash(visitor, event_time) % 100 < 97 THEN 'duplicate' ELSE 'invalid' END`

/** Makes `hours` hours below the boundary and as many above it. */
export async function makeViews(hours: number, clicksPerHour: number): Promise<MadeViews> {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-bench-'))
  const settings = readSettings({ CLICKLEDGER_DATA_DIR: dir })
  const clock = createClock()
  const catalogue = await openCatalogue(settings)
  await ensureDefaults(catalogue, clock.now())
  await catalogue.close()
  const log = await openEventLog(settings, clock.now)
  await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
  await log.close()
  const limits = { threads: '2', memory_limit: `${settings.CLICKLEDGER_OLAP_MEMORY}B` }
  const db = await DuckDBInstance.create(join(dir, 'plain.duckdb'), limits)
  const plain = await db.connect()
  const boundary = Math.floor(clock.now() / hourMs) * hourMs
  const [start, end] = [boundary - hours * hourMs, boundary + hours * hourMs]
  await makeClicks(plain, start, 2 * hours, clicksPerHour)

  const { olap } = dataPaths(settings)
  mkdirSync(olap, { recursive: true })
  await plain.run(`ATTACH '${join(olap, 'views.duckdb')}' AS views; USE views`)
  await createTables(plain)
  await plain.run(
    addToSpeedViewSql(`(SELECT rowid AS n, * FROM plain.clicks WHERE event_time >= ${boundary})`, [
      `n // ${tailBatch}`,
    ]),
  )
  await plain.run('USE plain; DETACH views')
  const store = await openDuckDbStore({
    ...{ settings, clock },
    onFailure: (error) => {
      throw error
    },
  })
  const objects = await openObjectStore(settings)
  const loads = await stageHours(plain, objects, start, boundary, dir)
  await objects.close()
  const begun = performance.now()
  await store.replaceHours(loads)
  const loadMs = performance.now() - begun
  const counted = await plain.runAndReadAll('SELECT count(*) FROM clicks')
  return {
    ...{ store, settings, plain, start, boundary, end, loadMs },
    clicks: Number(counted.getRows()[0]?.[0]),
    async close() {
      await store.close()
      plain.closeSync()
      db.closeSync()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Stages the aggregates of the hours of `clicks` in [start, end), as a rebuild does. */
export async function stageHours(
  plain: DuckDBConnection,
  objects: ObjectStore,
  start: number,
  end: number,
  dir: string,
): Promise<HourLoad[]> {
  const loads: HourLoad[] = []
  for (let hour = start; hour < end; hour += hourMs) {
    const path = join(dir, 'made.parquet')
    await plain.run(`COPY (${aggregateSelectSql} FROM clicks
      WHERE event_time >= ${hour} AND event_time < ${hour + hourMs} ${aggregateGroupSql})
      TO '${path}' (FORMAT parquet, COMPRESSION zstd)`)
    const key = stagedPath('bench', hour, 'aggregates-0.parquet')
    await objects.put(key, { path })
    loads.push({ hour, run: 'bench', files: [key] })
  }
  return loads
}

/** Makes the table `clicks`. */
export async function makeClicks(
  connection: DuckDBConnection,
  start: number,
  hours: number,
  clicksPerHour: number,
): Promise<void> {
  for (let index = 0; index < hours; index++) {
    const hour = start + index * hourMs
    const made = madeClicksSql(fields, { hour, index, clicksPerHour })
    const into = index === 0 ? 'CREATE TABLE clicks AS' : 'INSERT INTO clicks'
    await connection.run(`${into} SELECT *, ${status} AS status FROM (${made}) ORDER BY event_time`)
  }
}
