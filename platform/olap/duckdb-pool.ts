// Connections of one DuckDB file, lent out in the order in which they are asked for.
import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { ClickledgerError } from '#schemas/errors.ts'

const waitingMax = 200

export interface ConnectionPool {
  /** @throws ClickledgerError `unavailable` where too many wait, or the pool ends meanwhile */
  take(): Promise<DuckDBConnection>
  give(connection: DuckDBConnection): void
  /** Takes a connection for one piece of work. */
  lend<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T>
  /** Refuses who waits, interrupts what runs, and resolves when every connection is back. */
  end(): Promise<void>
}

/** @param settings - run on each connection first */
export async function openConnectionPool(
  db: DuckDBInstance,
  count: number,
  settings: readonly string[] = [],
): Promise<ConnectionPool> {
  const connections: DuckDBConnection[] = []
  for (let n = 0; n < count; n++) {
    const connection = await db.connect()
    for (const sql of settings) await connection.run(sql)
    connections.push(connection)
  }
  return createPool(connections)
}

function createPool(connections: readonly DuckDBConnection[]): ConnectionPool {
  const idle = [...connections]
  const waiting: PromiseWithResolvers<DuckDBConnection>[] = []
  const allBack = Promise.withResolvers<void>()
  let isEnding = false
  const refusal = () => new ClickledgerError('unavailable', 'the store is being closed')

  const pool: ConnectionPool = {
    async take() {
      if (isEnding) throw refusal()
      const connection = idle.pop()
      if (connection) return connection
      if (waiting.length >= waitingMax) {
        throw new ClickledgerError('unavailable', 'too many queries are waiting')
      }
      const asked = Promise.withResolvers<DuckDBConnection>()
      waiting.push(asked)
      return asked.promise
    },
    give(connection) {
      const next = waiting.shift()
      if (next) return next.resolve(connection)
      idle.push(connection)
      if (isEnding && idle.length === connections.length) allBack.resolve()
    },
    async lend(work) {
      const connection = await pool.take()
      try {
        if (isEnding) throw refusal()
        return await work(connection)
      } catch (error) {
        throw isEnding ? refusal() : error
      } finally {
        pool.give(connection)
      }
    },
    async end() {
      isEnding = true
      for (const { reject } of waiting.splice(0)) reject(refusal())
      if (idle.length === connections.length) return
      for (const connection of connections) connection.interrupt()
      await allBack.promise
    },
  }
  return pool
}
