// The batch view of Druid: staged Parquet becomes gzipped JSON lines, and one task replaces a few
// hours by them. An hour is loaded when the query path itself shows its run and nothing else.
import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateColumns } from '#core/minute-aggregates.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import type { ObjectStore } from '../object-store/port.ts'
import type { DruidClient, SqlValue } from './druid-http.ts'
import { timestampSql } from './druid-query.ts'
import type { SegmentWatch } from './druid-segments.ts'
import { type DruidNames, intervalOf, loadTask } from './druid-specs.ts'
import type { Tasks } from './druid-tasks.ts'
import type { HourLoad } from './port.ts'

/** Hours in one task, at most. */
const hoursPerTask = 48
const convertMemory = '512MB'

const textSql = (text: string) => `'${text.replaceAll("'", "''")}'`
const loadPrefix = (run: string) => `loads/${run}/`

export interface LoadParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly tasks: Tasks
  readonly segments: SegmentWatch
  readonly objects: ObjectStore
  /** A directory of this store's own. */
  readonly scratch: string
}

/** Writes the aggregates of Parquet files as gzipped JSON lines, with their run. */
async function convert(paths: readonly string[], run: string, output: string): Promise<void> {
  const db = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: convertMemory,
    preserve_insertion_order: 'false',
  })
  const connection = await db.connect()
  try {
    const columns = aggregateColumns.map(({ name }) => name)
    // Files staged before a dimension was added do not have its column.
    await connection.run(
      `CREATE TABLE shape (${aggregateColumns.map(({ name, sqlType }) => `${name} ${sqlType.split(' ')[0]}`).join(', ')})`,
    )
    await connection.run(
      `COPY (SELECT ${columns.join(', ')}, ${textSql(run)} AS run, 'batch' AS layer FROM (
         SELECT * FROM shape UNION ALL BY NAME
         SELECT * FROM read_parquet([${paths.map(textSql).join(', ')}], hive_partitioning = false, union_by_name = true)))
       TO ${textSql(output)} (FORMAT json, COMPRESSION gzip)`,
    )
  } finally {
    connection.closeSync()
    db.closeSync()
  }
}

const chunksOf = <T>(list: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) =>
    list.slice(i * size, (i + 1) * size),
  )

export function createLoads(parts: LoadParts) {
  const { client, names, tasks, segments, objects, scratch } = parts

  /** @returns the load's object key */
  const hand = async ({ hour, run, files }: HourLoad): Promise<string> => {
    const paths: string[] = []
    for (const key of files) paths.push(await objects.localPath(key))
    await mkdir(scratch, { recursive: true })
    const path = join(scratch, `${run}-${hour}.json.gz`)
    const key = `${loadPrefix(run)}${hour}.json.gz`
    try {
      await convert(paths, run, path)
      await objects.put(key, { path })
    } finally {
      await rm(path, { force: true })
    }
    return key
  }

  /** Runs that the query path shows, by hour. */
  const shownRuns = async (start: number, end: number): Promise<Map<number, Set<SqlValue>>> => {
    const rows = await client.sql(
      `SELECT TIME_FLOOR(__time, 'PT1H') AS h, run, COUNT(*) FROM "${names.batch}"
       WHERE __time >= ${timestampSql(start)} AND __time < ${timestampSql(end)} GROUP BY 1, 2`,
      { timeoutMs: 60_000 },
    )
    const runs = new Map<number, Set<SqlValue>>()
    for (const [time, run] of rows) {
      const hour = Date.parse(String(time))
      const set = runs.get(hour) ?? new Set()
      runs.set(hour, set.add(run ?? null))
    }
    return runs
  }

  /** The coordinator's word on a range, its knowledge refreshed first. */
  const isLoaded = async (start: number, end: number): Promise<boolean> => {
    const interval = encodeURIComponent(intervalOf(start, end))
    const answer = await client.askAgain({
      path: `/druid/coordinator/v1/datasources/${names.batch}/loadstatus?forceMetadataRefresh=true&interval=${interval}`,
      timeoutMs: 60_000,
    })
    // A range without segments is answered in words.
    return typeof answer !== 'object' || answer === null
      ? true
      : Object.values(answer).every((percent) => percent === 100)
  }

  const loadedHours = async (loads: readonly HourLoad[]): Promise<number[]> => {
    if (loads.length === 0) return []
    const start = Math.min(...loads.map(({ hour }) => hour))
    const end = Math.max(...loads.map(({ hour }) => hour)) + hourMs
    const complete = await isLoaded(start, end)
    const missing = (await segments.missing())
      .filter(({ dataSource }) => dataSource === names.batch)
      .map((segment) => hourOf(segment.start))
    const inRange = missing.filter((hour) => hour >= start && hour < end)
    // The coordinator knows of something that the brokers do not: nothing is certain yet.
    if (!complete && inRange.length === 0) return []
    const shown = await shownRuns(start, end)
    return loads
      .filter(({ hour, run, files }) => {
        const runs = shown.get(hour)
        if (inRange.includes(hour)) return false
        return files.length === 0 ? !runs : runs?.size === 1 && runs.has(run)
      })
      .map(({ hour }) => hour)
  }

  const replace = async (loads: readonly HourLoad[]): Promise<void> => {
    const what = JSON.stringify(loads.map(({ hour, run, files }) => [hour, run, files]))
    const digest = createHash('sha256').update(what).digest('hex').slice(0, 16)
    const keys: string[] = []
    for (const load of loads) if (load.files.length > 0) keys.push(await hand(load))
    await tasks.run({
      name: `load_${names.batch}_${digest}`,
      spec: (id) =>
        loadTask(
          id,
          names,
          loads.map(({ hour }) => hour),
          keys.map(names.objectUri),
        ),
      inForce: async () => (await loadedHours(loads)).length === loads.length,
    })
    // Also what a crash has left of the same runs.
    for (const run of new Set(loads.map((load) => load.run))) {
      for await (const { key } of objects.list(loadPrefix(run))) await objects.remove(key)
    }
  }

  return {
    loadedHours,
    async replaceHours(loads: readonly HourLoad[]): Promise<void> {
      const byHour = new Map(loads.map((load) => [load.hour, load])) // the last word on an hour counts
      const ordered = [...byHour.values()].sort((a, b) => a.hour - b.hour)
      for (const some of chunksOf(ordered, hoursPerTask)) await replace(some)
    },
  }
}
