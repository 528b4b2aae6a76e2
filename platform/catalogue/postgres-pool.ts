// Connections to PostgreSQL and what runs on them. A transaction is never run again by itself: its
// work may have effects outside. Instead all who write wait for each other on one advisory lock.
import { createHash } from 'node:crypto'
import { Socket } from 'node:net'
import { Pool, type PoolClient, type PoolConfig, types } from 'pg'
import { ClickledgerError } from '#schemas/errors.ts'
import { pause } from '../wait.ts'
import { checkParams } from './params.ts'
import type { Queryable, SqlValue } from './port.ts'
import { faultOf } from './postgres-faults.ts'

/** How long each thing may take. The server's limits come first, so that it says what was wrong. */
export const timeouts = {
  connectMs: 5_000,
  /** A writer that stops in the middle (hung, unreachable) frees the lock after this. */
  idleInTransactionMs: 5_000,
  lockMs: 8_000,
  statementMs: 10_000,
  /** For a server that hangs: then only the client's own clock helps. */
  answerMs: 12_000,
} as const

/** Other limits for the one connection that migrates: it may work long, and wait for who does. */
export const migrationTimeouts = {
  ...timeouts,
  idleInTransactionMs: 60_000,
  lockMs: 120_000,
  statementMs: 600_000,
  answerMs: 610_000,
} as const

const keepAliveDelayMs = 10_000
const idleMs = 60_000
/** Callers that wait for a connection; beyond it they are told at once. */
const waitingMax = 1_000
/** A server that hangs does not say goodbye. */
const closeMs = 2_000

const oid = { bool: 16, int8: 20, int2: 21, int4: 23, text: 25, numeric: 1700 } as const

function exactNumber(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new RangeError(`${text} is beyond what a number holds exactly`)
  }
  return value
}

/** Values come as SQLite gives them: numbers, texts, 0 and 1. */
const parsers: PoolConfig['types'] = {
  getTypeParser: (type: number) => {
    if (type === oid.int8 || type === oid.numeric) return exactNumber
    if (type === oid.bool) return (text: string) => (text === 't' ? 1 : 0)
    if (type === oid.int2 || type === oid.int4) return Number
    return types.getTypeParser(oid.text)
  },
}

export interface PostgresOptions {
  readonly url: string
  /** Name of the schema. */
  readonly schema: string
  readonly max: number
  readonly limits?: typeof timeouts | typeof migrationTimeouts
}

export interface PostgresPool {
  /** One statement, on any connection. */
  query<Row>(sql: string, params: readonly SqlValue[]): Promise<Row[]>
  /** Begins a transaction with the lock; commits what `work` did, or nothing of it. */
  locked<T>(lock: LockMode, work: (tx: Queryable) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** `shared`: single statements, beside each other. `exclusive`: nobody else writes meanwhile. */
export type LockMode = 'shared' | 'exclusive'

/** The advisory lock of an installation's writers: a 64-bit number made from its schema. */
function lockSql(schema: string, mode: LockMode): string {
  const key = createHash('sha256').update(`clickledger catalogue ${schema}`).digest()
  const name = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock'
  return `BEGIN; SELECT ${name}(${key.readBigInt64BE(0)})`
}

/** An identifier that was checked to hold no quotes. */
export const quoted = (identifier: string): string => `"${identifier}"`

function settingsSql(schema: string, limits: NonNullable<PostgresOptions['limits']>): string {
  return [
    `SET search_path = ${quoted(schema)}`,
    `SET statement_timeout = ${limits.statementMs}`,
    `SET lock_timeout = ${limits.lockMs}`,
    `SET idle_in_transaction_session_timeout = ${limits.idleInTransactionMs}`,
    'SET default_transaction_isolation = "read committed"',
  ].join('; ')
}

async function rowsOf<Row>(
  target: Pick<PoolClient, 'query'>,
  sql: string,
  params: readonly SqlValue[],
): Promise<Row[]> {
  checkParams(params)
  try {
    const result = await target.query(sql, [...params])
    return result.rows as Row[]
  } catch (error) {
    throw faultOf(error)
  }
}

async function commit(client: PoolClient): Promise<void> {
  let command: string
  try {
    command = (await client.query('COMMIT')).command
  } catch (error) {
    throw faultOf(error, 'The connection broke while committing: it may be done or not')
  }
  // After a failed statement that the work did not pass on, COMMIT rolls back and says so only here.
  if (command !== 'COMMIT') throw new Error('a statement of the transaction failed: rolled back')
}

/** Makes a pool; connections are made when they are needed. */
export function createPostgresPool(options: PostgresOptions): PostgresPool {
  const { url, schema, max, limits = timeouts } = options
  const sockets = new Set<Socket>()
  const pool = new Pool({
    connectionString: url,
    max,
    min: 1, // of those made, one stays: nobody waits for a new one after a quiet minute
    types: parsers,
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.answerMs,
    idleTimeoutMillis: idleMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveDelayMs,
    fallback_application_name: 'clickledger',
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      return socket.once('close', () => sockets.delete(socket))
    },
    // By SET and not as parameters of the connection: a pooler in between refuses those.
    onConnect: (client) => client.query(settingsSql(schema, limits)),
  })
  // A connection that breaks while nobody uses it: the pool has let it go, the next one is new.
  pool.on('error', () => {})

  const connect = async (): Promise<PoolClient> => {
    if (pool.waitingCount >= waitingMax) {
      throw faultOf(new Error(`${waitingMax} callers wait for a connection already`))
    }
    return pool.connect().catch((error: unknown) => {
      throw faultOf(error)
    })
  }

  /** @param work - its failure ends the connection where the connection may be to blame */
  const onConnection = async <T>(work: (client: PoolClient) => Promise<T>): Promise<T> => {
    const client = await connect()
    // It may break between two statements too; without a listener that would end the process.
    const ignore = () => {}
    client.on('error', ignore)
    let broken = false
    try {
      return await work(client)
    } catch (error) {
      // The server rolls back by itself what a lost connection had begun.
      broken = error instanceof ClickledgerError && error.code === 'unavailable'
      if (!broken)
        broken = await client.query('ROLLBACK').then(
          () => false,
          () => true,
        )
      throw error
    } finally {
      client.off('error', ignore)
      client.release(broken)
    }
  }

  return {
    query: (sql, params) => onConnection((client) => rowsOf(client, sql, params)),
    locked: (lock, work) =>
      onConnection(async (client) => {
        await rowsOf(client, lockSql(schema, lock), [])
        const result = await work({ query: (sql, params = []) => rowsOf(client, sql, params) })
        await commit(client)
        return result
      }),
    async close() {
      const ended = pool.end()
      await Promise.race([ended, pause(closeMs)])
      for (const socket of sockets) socket.destroy()
      await ended
    },
  }
}
