// The catalogue in PostgreSQL. Same SQL text and same meaning as the SQLite adapter: one writer at a
// time, readers beside it. Why a lock and not serializable isolation with retries: a retry would run
// the caller's work twice (docs/decisions/0015).
import { ClickledgerError } from '#schemas/errors.ts'
import { within } from '../wait.ts'
import { migrate } from './migrate.ts'
import type { Catalogue } from './port.ts'
import { checkUrl, openFaultOf, placeOf } from './postgres-faults.ts'
import {
  createPostgresPool,
  migrationTimeouts,
  type PostgresOptions,
  type PostgresPool,
  quoted,
} from './postgres-pool.ts'
import { createShared } from './shared.ts'

export interface PostgresCatalogueOptions {
  /** postgres://user:password@host:port/database, with `sslmode` and the like as parameters. */
  readonly url: string
  /** Schema of the installation, made where missing; empty: public. */
  readonly namespace: string
  /** Connections of this thread, at most; one of them is for writing. */
  readonly poolMax: number
}

const namespacePattern = /^([a-z][a-z0-9-]{0,30})?$/

/** Writes of one thread that wait for each other, and how long. */
const turnsMax = 1_000
const turnMs = 20_000

const shared = createShared()

/**
 * Opens the catalogue and brings its tables up to date. Within a thread all who open the same one
 * share its connections.
 * @throws ClickledgerError `invalid-settings` or `unavailable`, naming the setting and the fix
 */
export function openPostgresCatalogue(options: PostgresCatalogueOptions): Promise<Catalogue> {
  const { url, namespace } = options
  return shared(`${namespace} ${url}`, () => open(options))
}

async function open({ url, namespace, poolMax }: PostgresCatalogueOptions): Promise<Catalogue> {
  checkUrl(url)
  if (!namespacePattern.test(namespace)) {
    throw new ClickledgerError('invalid-settings', 'CLICKLEDGER_NAMESPACE is no name of a schema')
  }
  const at = { url, schema: namespace || 'public' }
  await prepare(at)
  // Those who write take turns in a thread, on one connection: never do all connections wait for
  // the lock of another process. So reading goes on whatever is being written.
  const inTurn = createTurns()
  const writer = createPostgresPool({ ...at, max: 1 })
  const readers = createPostgresPool({ ...at, max: Math.max(1, poolMax - 1) })
  await readers.query('SELECT 1', []) // the first user need not wait for a connection to be made
  return {
    query: (sql, params = []) =>
      isRead(sql)
        ? readers.query(sql, params)
        : inTurn(() => writer.locked('shared', (tx) => tx.query(sql, params))),
    transaction: (work) => inTurn(() => writer.locked('exclusive', work)),
    async close() {
      await Promise.all([writer.close(), readers.close()])
    },
  }
}

/** One after the other, in the order of coming; who waits too long is told so and does nothing. */
function createTurns() {
  let tail: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting >= turnsMax) {
      throw new ClickledgerError('unavailable', `${turnsMax} writes wait for the catalogue already`)
    }
    const before = tail
    const over = Promise.withResolvers<void>()
    tail = before.then(() => over.promise)
    waiting++
    try {
      await within(before, turnMs)
      return await work()
    } finally {
      waiting--
      over.resolve()
    }
  }
}

const isRead = (sql: string): boolean => /^\s*SELECT\b/i.test(sql)

/** Everything that a person may have to correct shows here, before anything else is opened. */
async function prepare(at: Pick<PostgresOptions, 'url' | 'schema'>): Promise<void> {
  const pool = createPostgresPool({ ...at, max: 1, limits: migrationTimeouts })
  try {
    await checkEncoding(pool, at.url)
    await ensureSchema(pool, at.schema)
    const transaction: Catalogue['transaction'] = (work) =>
      pool.locked('exclusive', (tx) =>
        work({ query: (sql, params) => tx.query(inCodePointOrder(sql), params) }),
      )
    await migrate({ transaction }, 'postgres')
  } catch (error) {
    throw openFaultOf(error, at.url)
  } finally {
    await pool.close()
  }
}

/** A database in another encoding would refuse names that SQLite keeps. */
async function checkEncoding(pool: PostgresPool, url: string): Promise<void> {
  const [row] = await pool.query<{ encoding: string }>(
    "SELECT current_setting('server_encoding') AS encoding",
    [],
  )
  if (row?.encoding === 'UTF8') return
  throw new ClickledgerError(
    'invalid-settings',
    `The database ${placeOf(url)} (CLICKLEDGER_POSTGRES_URL) has the encoding ${row?.encoding}. Make one with ENCODING 'UTF8'.`,
  )
}

/** Looked up first: making it needs a right that its owner need not have. */
async function ensureSchema(pool: PostgresPool, schema: string): Promise<void> {
  await pool.locked('exclusive', async (tx) => {
    const [found] = await tx.query('SELECT 1 AS found FROM pg_namespace WHERE nspname = $1', [
      schema,
    ])
    if (!found) await tx.query(`CREATE SCHEMA ${quoted(schema)}`)
  })
}

/**
 * Texts are ordered by code points, as in SQLite: under a language's rules pages and files would come
 * in another order, and an upgrade of the system's rules would break the indexes.
 */
const inCodePointOrder = (sql: string): string =>
  /^\s*(CREATE|ALTER) TABLE/i.test(sql) ? sql.replaceAll(/\bTEXT\b/g, 'TEXT COLLATE "C"') : sql
