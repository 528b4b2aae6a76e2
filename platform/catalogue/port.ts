// The catalogue: small, precious data in a relational database. One SQL text for SQLite and
// PostgreSQL: `$1` parameters, INSERT .. ON CONFLICT .. RETURNING, BIGINT milliseconds for times,
// JSON as TEXT, 0/1 for booleans.

export type SqlValue = string | number | null
export type SqlRow = Record<string, SqlValue>

export interface Queryable {
  query<Row extends object = SqlRow>(sql: string, params?: readonly SqlValue[]): Promise<Row[]>
}

export interface Catalogue extends Queryable {
  /** All or nothing; serialised with other writers. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>
  close(): Promise<void>
}
