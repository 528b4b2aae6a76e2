// A worker that compares staged files of an hour with those published before: what publishing would
// change, by advertiser for people, by ad for the restatement record. Only what differs goes back.
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Settings } from '#platform/config.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { type SumMetricName, sumMetrics } from '#schemas/metrics.ts'
import { withWorkspace } from '../workspace.ts'

export type Counts = Readonly<Record<SumMetricName, number>>

export interface HourPair {
  readonly hour: number
  /** Object keys of minute aggregates. */
  readonly before: readonly string[]
  readonly after: readonly string[]
}

export interface Change {
  readonly hour: number
  readonly advertiser_id: string
  /** Empty where compared by advertiser. */
  readonly ad_id: string
  readonly before: Counts
  readonly after: Counts
}

export interface CompareInput {
  readonly hours: readonly HourPair[]
  readonly by: 'advertiser' | 'ad'
  readonly settings: Settings
}

const names = sumMetrics.map(({ name }) => name)
export const noCounts = Object.fromEntries(names.map((name) => [name, 0])) as Counts

function sideSql(paths: readonly string[], keys: readonly string[]): string {
  const sums = names.map((name) => `CAST(sum(${name}) AS DOUBLE) AS ${name}`).join(', ')
  const list = paths.map((path) => `'${path.replaceAll("'", "''")}'`).join(', ')
  const from =
    paths.length > 0
      ? `read_parquet([${list}], hive_partitioning = false, union_by_name = true)`
      : `(SELECT ${[...keys.map((k) => `'' AS ${k}`), ...names.map((n) => `0 AS ${n}`)].join(', ')} WHERE false)`
  return `SELECT ${keys.join(', ')}, ${sums} FROM ${from} GROUP BY ${keys.join(', ')}`
}

function changesSql(before: readonly string[], after: readonly string[], by: 'advertiser' | 'ad') {
  const keys = by === 'ad' ? ['advertiser_id', 'ad_id'] : ['advertiser_id']
  const counts = names.flatMap((n) => [
    `coalesce(b.${n}, 0) AS before_${n}`,
    `coalesce(a.${n}, 0) AS after_${n}`,
  ])
  const differs = names.map((n) => `coalesce(b.${n}, 0) <> coalesce(a.${n}, 0)`).join(' OR ')
  return `SELECT ${keys.join(', ')}, ${counts.join(', ')}
    FROM (${sideSql(before, keys)}) b FULL JOIN (${sideSql(after, keys)}) a USING (${keys.join(', ')})
    WHERE ${differs} ORDER BY ${keys.join(', ')}`
}

async function compareHour(
  connection: DuckDBConnection,
  objects: ObjectStore,
  { hour, before, after }: HourPair,
  by: 'advertiser' | 'ad',
): Promise<Change[]> {
  const local = (keys: readonly string[]) => Promise.all(keys.map((key) => objects.localPath(key)))
  const sql = changesSql(await local(before), await local(after), by)
  const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS()
  const side = (row: Record<string, unknown>, prefix: string) =>
    Object.fromEntries(names.map((name) => [name, Number(row[`${prefix}_${name}`])])) as Counts
  return rows.map((row) => ({
    hour,
    advertiser_id: String(row.advertiser_id),
    ad_id: by === 'ad' ? String(row.ad_id) : '',
    before: side(row, 'before'),
    after: side(row, 'after'),
  }))
}

/** What differs between the two sides of each hour. */
export function compareHours({ hours, by, settings }: CompareInput): Promise<Change[]> {
  return withWorkspace(settings, { name: 'compare' }, async ({ connection, objects }) => {
    const changes: Change[] = []
    for (const pair of hours) changes.push(...(await compareHour(connection, objects, pair, by)))
    return changes
  })
}
