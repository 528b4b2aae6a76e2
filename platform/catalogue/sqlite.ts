// The catalogue in a SQLite file. node:sqlite is synchronous; statements are small. Each thread
// and process has a connection of its own; they wait for each other's writes.
import { mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { openSqlite } from '../sqlite.ts'
import { migrate } from './migrate.ts'
import { checkParams } from './params.ts'
import type { Catalogue, Queryable, SqlValue } from './port.ts'
import { createShared } from './shared.ts'

const statementsMax = 200
const busyTimeoutMs = 10_000

/**
 * Opens the catalogue and brings its tables up to date. Within a thread all who open the same file
 * share one connection: with two, one would wait for the other's transaction while holding up the
 * thread that has to finish it.
 * @param path - file; made where missing
 */
export function openSqliteCatalogue({ path }: { path: string }): Promise<Catalogue> {
  const key = resolve(path)
  return shared(key, () => connect(key))
}

const shared = createShared()

interface Prepared {
  readonly statement: StatementSync
  /** Which parameter stands at each place. */
  readonly order: readonly number[]
}

/** SQLite would look each `$1` up by name among all the others: for a thousand that takes long. */
function prepare(db: DatabaseSync, sql: string): Prepared {
  const order: number[] = []
  const text = sql.replaceAll(/\$(\d+)/g, (_, n: string) => {
    order.push(Number(n))
    return '?'
  })
  return { statement: db.prepare(text), order }
}

async function connect(path: string): Promise<Catalogue> {
  mkdirSync(dirname(path), { recursive: true })
  const db = await openSqlite(path, busyTimeoutMs)
  db.exec('PRAGMA foreign_keys = ON')
  db.exec('PRAGMA case_sensitive_like = ON') // as in PostgreSQL
  const statements = new LRUCache<string, Prepared>({ max: statementsMax })

  const run = <Row>(sql: string, params: readonly SqlValue[]): Row[] => {
    checkParams(params)
    const prepared = statements.get(sql) ?? prepare(db, sql)
    statements.set(sql, prepared)
    if (prepared.order.reduce((a, b) => Math.max(a, b), 0) !== params.length) {
      throw new TypeError(`${params.length} parameters do not fit the statement: ${sql}`)
    }
    return prepared.statement.all(...prepared.order.map((n) => params[n - 1] ?? null)) as Row[]
  }

  // Transactions of one connection follow each other; plain queries wait for a running one, so
  // that they never see or join its unfinished work.
  let tail: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => T | Promise<T>): Promise<T> => {
    const result = tail.then(work)
    tail = result.catch(() => {})
    return result
  }
  const tx: Queryable = {
    query: async <Row extends object>(sql: string, params: readonly SqlValue[] = []) =>
      run<Row>(sql, params),
  }

  const catalogue: Catalogue = {
    query: (sql, params = []) => inTurn(() => run(sql, params)),
    transaction: (work) =>
      inTurn(async () => {
        db.exec('BEGIN IMMEDIATE')
        try {
          const result = await work(tx)
          db.exec('COMMIT')
          return result
        } catch (error) {
          // On a full disk SQLite has rolled back by itself; a second time would hide the cause.
          if (db.isTransaction) db.exec('ROLLBACK')
          throw error
        }
      }),
    close: () => inTurn(() => db.close()),
  }
  await migrate(catalogue, 'sqlite')
  return catalogue
}
