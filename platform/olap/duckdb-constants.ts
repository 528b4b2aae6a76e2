// Statements that read no view, such as those about INFORMATION_SCHEMA: answered in memory, by a DuckDB
// that has no tables, no files and no network, whatever the OLAP store is and whether it is there.
import { DuckDBInstance } from '@duckdb/node-api'
import { cursorAnswer } from './duckdb.ts'
import { createSqlCursors } from './duckdb-cursors.ts'
import { openConnectionPool } from './duckdb-pool.ts'
import { statementSettings } from './duckdb-statement.ts'
import type { OlapStore } from './port.ts'

const connections = 2

async function open() {
  const db = await DuckDBInstance.create(':memory:', {
    ...{ threads: '1', memory_limit: '64MB', enable_external_access: 'false' },
  })
  return {
    db,
    cursors: createSqlCursors(await openConnectionPool(db, connections, statementSettings)),
  }
}

/** Opened with the first statement. */
export function createConstantStore(): Pick<OlapStore, 'sql' | 'close'> {
  let opened: ReturnType<typeof open> | undefined
  return {
    async sql(statement, signal) {
      opened ??= open()
      const { cursors } = await opened
      return cursorAnswer(cursors, statement, signal)
    },
    async close() {
      if (!opened) return
      const { db, cursors } = await opened
      await cursors.end()
      db.closeSync()
    },
  }
}
