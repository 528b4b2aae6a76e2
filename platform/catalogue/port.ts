// The catalogue: small, precious data in a relational database. One SQL text for SQLite and
// PostgreSQL: `$1` parameters, INSERT .. ON CONFLICT .. RETURNING, BIGINT milliseconds for times,
// JSON as TEXT, 0/1 for booleans. Numbers are whole and exact, texts have no U+0000 and are ordered
// by code points. An upsert names no row twice. values.test.ts holds both to that.

export type SqlValue = string | number | null
export type SqlRow = Record<string, SqlValue>

export interface Queryable {
  query<Row extends object = SqlRow>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>
}

export interface Catalogue extends Queryable {
  /**
   * All or nothing; serialised with other writers. The work runs once, never again by itself, and
   * asks nothing but `tx`.
   * @throws ClickledgerError `unavailable` where the database is away; in the instant of committing
   * nobody can tell whether it was done, so what is called here may be called twice
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** `$1, $2, ..`: places for `count` parameters, the first of which is number `first`. */
export const places = (count: number, first = 1): string =>
  Array.from({ length: count }, (_, i) => `$${first + i}`).join(', ')
