// Clicks in bulk for timing, made by DuckDB: a day of them, one in ten with a key that repeats.
import type { DuckDBConnection } from '@duckdb/node-api'
import { sqlTypeOf } from '#schemas/columns.ts'
import { archivedFields, type Field } from '#schemas/fields.ts'

const dayMs = 86_400_000
export const manyClicksRange = { start: 0, end: dayMs }

/** A number below `below` that looks random, the same for the same row. */
const random = (salt: string, below: string | number) =>
  `CAST(hash(i, '${salt}') % CAST(${below} AS UBIGINT) AS BIGINT)`

function columnSql(field: Field, count: number): string {
  const few = Math.max(1, Math.round(count / 20))
  const text = (prefix: string, number: string) => `'${prefix}' || ${number}`
  const values: Record<string, string> = {
    event_id: `CASE WHEN i % 200 = 1 THEN 'id-' || (i - 1) ELSE 'id-' || i END`,
    event_time: random('time', dayMs),
    received_time: random('time', dayMs),
    advertiser_id: text('adv-', random('ad', 50)),
    ad_id: text('ad-', random('ad', 500)),
    visitor: text('v-', `CASE WHEN i % 10 = 0 THEN ${random('v', 40)} ELSE i END`),
    ip_hash: text('ip-', random('ip', few)),
    impression_id: text('imp-', `CASE WHEN i % 10 = 1 THEN ${random('imp', few)} ELSE i END`),
    marks: `CASE WHEN i % 25 = 0 THEN 'bot-user-agent' ELSE '' END`,
    raw_partition: 'i % 4',
    raw_offset: 'i // 4',
  }
  const value = values[field.name] ?? (field.type === 'string' ? "''" : '0')
  return `CAST(${value} AS ${sqlTypeOf(field)}) AS ${field.name}`
}

/** Writes a Parquet file of `count` clicks with event times within `manyClicksRange`. */
export async function writeManyClicks(
  connection: DuckDBConnection,
  path: string,
  count: number,
): Promise<void> {
  const columns = archivedFields.map((field) => columnSql(field, count))
  await connection.run(
    `COPY (SELECT ${columns.join(', ')} FROM range(${count}) numbers(i)) TO '${path}'
      (FORMAT parquet, COMPRESSION zstd)`,
  )
}
