// What every write and read of the embedded OLAP store needs. A statement outside of a transaction
// commits by itself.
import type { DuckDBConnection } from '@duckdb/node-api'
import { aggregateColumns } from '#core/minute-aggregates.ts'

export async function inTransaction<T>(
  connection: DuckDBConnection,
  work: () => Promise<T>,
): Promise<T> {
  await connection.run('BEGIN')
  try {
    const result = await work()
    await connection.run('COMMIT')
    return result
  } catch (error) {
    await connection.run('ROLLBACK').catch(() => {}) // the first error is the one to tell
    throw error
  }
}

export async function rowsOf(
  connection: DuckDBConnection,
  sql: string,
): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJS()
}

/** SQL that makes a table of aggregates, or brings it up to date. */
export const aggregateTableSql = (table: string): string[] => [
  `CREATE TABLE IF NOT EXISTS ${table} (${aggregateColumns.map(({ name, sqlType }) => `${name} ${sqlType}`).join(', ')})`,
  // A dimension that was added since the table was made: unknown in what is there already.
  ...aggregateColumns.map(
    ({ name, sqlType }) => `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${name} ${sqlType}`,
  ),
]
