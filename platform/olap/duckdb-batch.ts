// The batch view of the embedded OLAP store: minutes, hours and days, kept in step. What is replaced of
// one UTC day is one transaction over all three, so no query sees a grain that knows more than another.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Interval } from '#core/boundary.ts'
import type { Grain } from '#core/grain.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'
import { dayMs, dayOf, hourMs } from '#schemas/paths.ts'
import { grainTables } from './duckdb-query.ts'
import { aggregateTableSql, inTransaction, rowsOf } from './duckdb-sql.ts'
import type { HourLoad } from './port.ts'
import { textSql } from './sql-print.ts'

/** Clicks whose members are merged at a time: lists cannot spill to disk. */
const clicksPerMerge = 1_000_000

const finerTables = { hour: grainTables.minute, day: grainTables.hour } as const
const stepMs = { hour: hourMs, day: dayMs } as const

const dimensions = dimensionNames.join(', ')

function rollUpSelectSql(step: number): string {
  const sums = sumMetrics.map(({ name }) => `CAST(sum(${name}) AS BIGINT) AS ${name}`)
  const members = uniqueMetrics.map(
    ({ members: m }) => `list_distinct(flatten(list(${m}))) AS ${m}`,
  )
  return `SELECT minute - minute % ${step} AS minute, ${[dimensions, ...sums, ...members].join(', ')}`
}

/** Makes the rows of a range of whole hours or days anew from the next finer table. */
async function rollUp(
  connection: DuckDBConnection,
  grain: 'hour' | 'day',
  { start, end }: Interval,
): Promise<void> {
  const step = stepMs[grain]
  const [table, finer] = [grainTables[grain], finerTables[grain]]
  const within = `minute >= ${start} AND minute < ${end}`
  await connection.run(`DELETE FROM ${table} WHERE ${within}`)
  const [size] = await rowsOf(
    connection,
    `SELECT CAST(sum(gross_click_count) AS DOUBLE) AS clicks FROM ${finer} WHERE ${within}`,
  )
  const merges = Math.ceil(Number(size?.clicks ?? 0) / clicksPerMerge)
  for (let part = 0; part < merges; part++) {
    const mine = merges > 1 ? ` AND hash(${dimensions}) % ${merges} = ${part}` : ''
    await connection.run(
      `INSERT INTO ${table} BY NAME ${rollUpSelectSql(step)} FROM ${finer}
       WHERE ${within}${mine} GROUP BY minute - minute % ${step}, ${dimensions}`,
    )
  }
}

/** Makes the tables of the rollups; where only minutes are there, from those. */
export async function ensureRollups(connection: DuckDBConnection): Promise<void> {
  await inTransaction(connection, async () => {
    const known = await rowsOf(
      connection,
      `SELECT 1 FROM information_schema.tables
       WHERE table_name = '${grainTables.hour}' AND table_catalog = current_database()`,
    )
    for (const grain of ['hour', 'day'] as const) {
      for (const sql of aggregateTableSql(grainTables[grain])) await connection.run(sql)
    }
    // Without the files of its hours a day could not be made again: nothing counts as loaded.
    if (known.length === 0) await connection.run('DROP TABLE IF EXISTS loaded_hours')
    await connection.run(
      'CREATE TABLE IF NOT EXISTS loaded_hours (hour BIGINT PRIMARY KEY, run VARCHAR, files VARCHAR)',
    )
    if (known.length > 0) return
    const days = await rowsOf(
      connection,
      `SELECT DISTINCT minute - minute % ${dayMs} AS day FROM ${grainTables.minute}`,
    )
    for (const day of days.map((row) => Number(row.day))) {
      const range = { start: day, end: day + dayMs }
      await rollUp(connection, 'hour', range)
      await rollUp(connection, 'day', range)
    }
  })
}

/**
 * Loads of whole days: beside what is to be replaced, the hours of the same days that were dropped
 * since. A day is made of all its hours.
 * @returns loads by day
 */
export async function withDroppedHours(
  connection: DuckDBConnection,
  loads: readonly HourLoad[],
): Promise<ReadonlyMap<number, readonly HourLoad[]>> {
  const days = Map.groupBy(loads, ({ hour }) => dayOf(hour))
  for (const [day, mine] of days) {
    const rows = await rowsOf(
      connection,
      `SELECT hour, run, files FROM loaded_hours l
       WHERE hour >= ${day} AND hour < ${day + dayMs} AND files <> '[]'
         AND NOT EXISTS (FROM ${grainTables.hour} WHERE minute = l.hour)`,
    )
    for (const row of rows) {
      const hour = Number(row.hour)
      if (mine.some((load) => load.hour === hour)) continue
      mine.push({ hour, run: String(row.run), files: JSON.parse(String(row.files)) })
    }
  }
  return days
}

/** Most reports are about one advertiser, and then one ad: DuckDB leaves row groups of others alone. */
const minuteOrder = 'advertiser_id, ad_id, minute'

/** A load with its files on the local disk. */
export interface LocalLoad extends HourLoad {
  readonly paths: readonly string[]
}

async function replaceHour(connection: DuckDBConnection, load: LocalLoad): Promise<void> {
  const { hour, run, files, paths } = load
  await connection.run(
    `DELETE FROM ${grainTables.minute} WHERE minute >= ${hour} AND minute < ${hour + hourMs}`,
  )
  if (paths.length > 0) {
    await connection.run(
      `INSERT INTO ${grainTables.minute} BY NAME
       SELECT * FROM read_parquet([${paths.map(textSql).join(', ')}], hive_partitioning = false)
       ORDER BY ${minuteOrder}`,
    )
  }
  await rollUp(connection, 'hour', { start: hour, end: hour + hourMs })
  await connection.run(
    `INSERT OR REPLACE INTO loaded_hours VALUES (${hour}, ${textSql(run)}, ${textSql(JSON.stringify(files))})`,
  )
}

/** Replaces hours of one UTC day, and the day. */
export async function replaceDay(
  connection: DuckDBConnection,
  day: number,
  loads: readonly LocalLoad[],
): Promise<void> {
  await inTransaction(connection, async () => {
    for (const load of loads) await replaceHour(connection, load)
    await rollUp(connection, 'day', { start: day, end: day + dayMs })
  })
}

export async function loadedRuns(connection: DuckDBConnection): Promise<Map<number, string>> {
  const rows = await rowsOf(connection, 'SELECT hour, run FROM loaded_hours')
  return new Map(rows.map((row) => [Number(row.hour), String(row.run)]))
}

export async function dropBatch(
  connection: DuckDBConnection,
  grain: Exclude<Grain, 'day'>,
  { start, end }: Interval,
): Promise<void> {
  await connection.run(
    `DELETE FROM ${grainTables[grain]} WHERE minute >= ${start} AND minute < ${end}`,
  )
}
