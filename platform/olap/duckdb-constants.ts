// Statements that read no view, such as those about INFORMATION_SCHEMA: answered in memory, by a DuckDB
// that has no tables, no files and no network, whatever the OLAP store is and whether it is there.
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { ClickledgerError } from '#schemas/errors.ts'
import { cursorAnswer } from './duckdb.ts'
import { createSqlCursors } from './duckdb-cursors.ts'
import { statementSettings } from './duckdb-statement.ts'
import type { OlapStore } from './port.ts'

const connectionsMax = 2
const waitingMax = 100

/** Opened with the first statement. */
export function createConstantStore(): Pick<OlapStore, 'sql' | 'close'> {
  const idle: DuckDBConnection[] = []
  const waiting: ((connection: DuckDBConnection) => void)[] = []
  let opened: Promise<DuckDBInstance> | undefined
  const open = async () => {
    const db = await DuckDBInstance.create(':memory:', {
      ...{ threads: '1', memory_limit: '64MB', enable_external_access: 'false' },
    })
    for (let i = 0; i < connectionsMax; i++) {
      const connection = await db.connect()
      for (const sql of statementSettings) await connection.run(sql)
      idle.push(connection)
    }
    return db
  }
  const cursors = createSqlCursors({
    async take() {
      opened ??= open()
      await opened
      const connection = idle.pop()
      if (connection) return connection
      if (waiting.length >= waitingMax) throw new ClickledgerError('too-many-requests')
      const { promise, resolve } = Promise.withResolvers<DuckDBConnection>()
      waiting.push(resolve)
      return promise
    },
    give(connection) {
      const next = waiting.shift()
      if (next) next(connection)
      else idle.push(connection)
    },
  })
  return {
    sql: (statement, signal) => cursorAnswer(cursors, statement, signal),
    async close() {
      await cursors.end()
      const db = await opened
      db?.closeSync()
    },
  }
}
