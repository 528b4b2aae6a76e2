// Answers of statements, read batch by batch from another thread. A cursor keeps a connection until its
// last row, its closing, or its time-out: whoever forgets one loses it.
import { randomUUID } from 'node:crypto'
import {
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  type DuckDBResult,
  DuckDBTimestampValue,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'
import type { SqlColumn, SqlStatement, SqlValue } from '#core/sql.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ConnectionPool } from './duckdb-pool.ts'
import { compileDuckDbStatement } from './duckdb-statement.ts'

export interface SqlCursors {
  sqlOpen(statement: SqlStatement, signal?: AbortSignal): Promise<OpenCursor>
  /** The next rows; undefined after the last, and the cursor is gone. */
  sqlNext(cursor: string, signal?: AbortSignal): Promise<SqlValue[][] | undefined>
  sqlClose(cursor: string): Promise<void>
}

/** For the thread that owns the store. */
export interface OwnedCursors extends SqlCursors {
  /** Ends every statement and the pool. The store cannot be closed under a running one. */
  end(): Promise<void>
}

export interface OpenCursor {
  readonly cursor: string
  readonly columns: readonly SqlColumn[]
}

interface Cursor {
  readonly connection: DuckDBConnection
  readonly timer: NodeJS.Timeout
  readonly cancelled: () => boolean
  result: DuckDBResult | undefined
}

const types: Partial<Record<DuckDBTypeId, readonly [type: string, sqlType: string]>> = {
  [DuckDBTypeId.VARCHAR]: ['STRING', 'VARCHAR'],
  [DuckDBTypeId.TIMESTAMP]: ['LONG', 'TIMESTAMP'],
  [DuckDBTypeId.BOOLEAN]: ['LONG', 'BOOLEAN'],
  [DuckDBTypeId.DOUBLE]: ['DOUBLE', 'DOUBLE'],
  [DuckDBTypeId.FLOAT]: ['DOUBLE', 'DOUBLE'],
  [DuckDBTypeId.DECIMAL]: ['DOUBLE', 'DOUBLE'],
  [DuckDBTypeId.BIGINT]: ['LONG', 'BIGINT'],
  [DuckDBTypeId.HUGEINT]: ['LONG', 'BIGINT'],
  [DuckDBTypeId.INTEGER]: ['LONG', 'INTEGER'],
}

function columnsOf(result: DuckDBResult): SqlColumn[] {
  return result.columnNames().map((name, i) => {
    const [type, sqlType] = types[result.columnTypeId(i)] ?? ['STRING', 'OTHER']
    return { name, type, sqlType }
  })
}

function toSqlValue(value: DuckDBValue): SqlValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'bigint') return Number(value)
  // JSON has no infinity.
  if (typeof value === 'number') return Number.isFinite(value) ? value : null
  if (value instanceof DuckDBTimestampValue) {
    const ms = Number(value.micros / 1000n)
    return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null
  }
  if (value instanceof DuckDBDateValue) return `${value}T00:00:00.000Z`
  if (value instanceof DuckDBDecimalValue) return value.toDouble()
  throw new ClickledgerError('sql-refused', `A column of the answer has a type that has no text.`)
}

/** What a failure of DuckDB says about the statement. */
function describe(error: unknown): unknown {
  if (error instanceof ClickledgerError) return error
  const [first = ''] = (error as Error).message.split('\n')
  if (/^Out of Memory/.test(first)) {
    return new ClickledgerError('query-too-large', 'The statement needs more memory than there is.')
  }
  const said =
    /(?:Binder|Conversion|Invalid Input|Parser|Catalog|Out of Range|Not implemented|Mismatch Type|Syntax) Error: .*/.exec(
      first,
    )
  return said ? new ClickledgerError('sql-refused', `DuckDB: ${said[0].slice(0, 500)}`) : error
}

/** @param pool - nobody else's; it ends with the cursors */
export function createSqlCursors(pool: ConnectionPool): OwnedCursors {
  const cursors = new Map<string, Cursor>()
  const running = new Set<Promise<unknown>>()
  let isEnding = false

  const close = (id: string) => {
    const cursor = cursors.get(id)
    if (!cursors.delete(id) || !cursor) return
    clearTimeout(cursor.timer)
    cursor.result = undefined
    pool.give(cursor.connection)
  }
  const interruptable = async <T>(
    id: string,
    signal: AbortSignal | undefined,
    work: (c: Cursor) => Promise<T>,
  ): Promise<T> => {
    const cursor = cursors.get(id)
    if (!cursor) throw new ClickledgerError('query-timeout')
    const interrupt = () => cursor.connection.interrupt()
    signal?.addEventListener('abort', interrupt, { once: true })
    const result = work(cursor)
    running.add(result)
    try {
      return await result
    } catch (error) {
      const isLate = cursor.cancelled()
      close(id)
      throw isLate ? new ClickledgerError('query-timeout') : describe(error)
    } finally {
      running.delete(result)
      signal?.removeEventListener('abort', interrupt)
    }
  }

  return {
    async sqlOpen(statement, signal) {
      const sql = compileDuckDbStatement(statement)
      const connection = await pool.take()
      if (isEnding) {
        pool.give(connection)
        throw new ClickledgerError('unavailable', 'the store is being closed')
      }
      const id = randomUUID()
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        connection.interrupt()
        // Whoever reads now is told by the interruption; of the rest nobody will hear.
        setTimeout(() => close(id), 1_000).unref()
      }, statement.timeoutMs)
      cursors.set(id, { connection, timer, cancelled: () => isLate, result: undefined })
      return interruptable(id, signal, async (cursor) => {
        signal?.throwIfAborted()
        cursor.result = await connection.stream(sql)
        return { cursor: id, columns: columnsOf(cursor.result) }
      })
    },
    sqlNext: (id, signal) =>
      interruptable(id, signal, async ({ result }) => {
        const chunk = await result?.fetchChunk()
        if (chunk && chunk.rowCount > 0) return chunk.getRows().map((row) => row.map(toSqlValue))
        close(id)
        return undefined
      }),
    sqlClose: async (id) => close(id),
    async end() {
      isEnding = true
      for (const { connection } of cursors.values()) connection.interrupt()
      await Promise.allSettled(running)
      for (const id of [...cursors.keys()]) close(id)
      await pool.end()
    },
  }
}
