// The tables of the embedded OLAP store and every write to the speed view. All hold aggregates of the
// same shape. A write and what proves it (offsets, loaded runs) are one transaction.
import { unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { jsonColumns } from '#schemas/columns.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { judgedFields } from '#schemas/fields.ts'
import { sumMetrics } from '#schemas/metrics.ts'
import { hourMs } from '#schemas/paths.ts'
import type { LogRecord } from '../event-log/port.ts'
import { ensureRollups } from './duckdb-batch.ts'
import { grainTables, speedTable } from './duckdb-query.ts'
import { aggregateTableSql, inTransaction, rowsOf } from './duckdb-sql.ts'
import type { HourTotals } from './port.ts'

const tables = [
  ...aggregateTableSql(speedTable),
  ...aggregateTableSql(grainTables.minute),
  'CREATE TABLE IF NOT EXISTS applied_offsets (partition INTEGER PRIMARY KEY, next BIGINT)',
]

export async function createTables(connection: DuckDBConnection): Promise<void> {
  for (const table of tables) await connection.run(table)
  await ensureRollups(connection)
}

/** Next offset of each partition that anything was ever applied from. */
export async function appliedOffsets(connection: DuckDBConnection): Promise<Map<number, number>> {
  const rows = await rowsOf(connection, 'SELECT partition, next FROM applied_offsets')
  return new Map(rows.map((row) => [Number(row.partition), Number(row.next)]))
}

/** A click that was judged before a dimension was added does not have it. */
const knownDimensions = dimensionNames.map((name) => `coalesce(${name}, '') AS ${name}`).join(', ')
const newline = Buffer.from('\n')

export interface Judged {
  readonly records: readonly LogRecord[]
  /** Next offset of each partition after these records. */
  readonly next: ReadonlyMap<number, number>
  /** Clicks that were older when they were judged do not enter the speed view. */
  readonly retentionMs: number
}

/**
 * SQL that adds judged clicks to the speed view.
 * @param clicks - a relation of judged clicks
 * @param groups - expressions to aggregate by besides minute and dimensions
 */
export function addToSpeedViewSql(clicks: string, groups: readonly string[] = []): string {
  const by = [aggregateGroupSql, ...groups].join(', ')
  return `INSERT INTO ${speedTable} BY NAME ${aggregateSelectSql} FROM ${clicks} ${by}`
}

/**
 * Adds judged clicks to the speed view and moves the offsets, in one transaction. The records are
 * JSON already: DuckDB parses them itself, an order of magnitude faster than row by row from here.
 */
export async function applyJudged(
  connection: DuckDBConnection,
  scratch: string,
  { records, next, retentionMs }: Judged,
): Promise<void> {
  const file = join(scratch, 'judged.jsonl')
  await writeFile(file, Buffer.concat(records.flatMap(({ value }) => [value, newline])))
  const offsets = [...next].map(([partition, offset]) => `(${partition}, ${offset})`).join(', ')
  await inTransaction(connection, async () => {
    const clicks = `(SELECT * REPLACE (${knownDimensions}) FROM read_json('${file}', format = 'newline_delimited',
      columns = ${jsonColumns(judgedFields)}) WHERE judged_time - event_time <= ${retentionMs})`
    await connection.run(addToSpeedViewSql(clicks))
    await connection.run(`INSERT OR REPLACE INTO applied_offsets VALUES ${offsets}`)
  })
  await unlink(file)
}

export async function hourTotals(
  connection: DuckDBConnection,
  view: 'batch' | 'speed',
  start: number,
  end: number,
): Promise<HourTotals[]> {
  const sums = sumMetrics.map((m) => `CAST(sum(${m.name}) AS DOUBLE) AS ${m.name}`).join(', ')
  const rows = await rowsOf(
    connection,
    `SELECT CAST(minute - minute % ${hourMs} AS DOUBLE) AS hour, ${sums} FROM ${view === 'batch' ? grainTables.hour : speedTable}
     WHERE minute >= ${start} AND minute < ${end} GROUP BY 1 ORDER BY 1`,
  )
  return rows as unknown as HourTotals[]
}

export async function dropSpeedBefore(connection: DuckDBConnection, time: number): Promise<void> {
  await connection.run(`DELETE FROM ${speedTable} WHERE minute < ${time}`)
}
