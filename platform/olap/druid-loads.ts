// The batch view of Druid: staged Parquet becomes gzipped JSON lines; from them one task replaces minutes
// and one hours, and from those hours one replaces each day. It is loaded when the query path itself
// shows it in all grains (druid-shown.ts).
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Grain, grains } from '#core/grain.ts'
import { aggregateColumns } from '#core/minute-aggregates.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sumMetrics } from '#schemas/metrics.ts'
import { dayMs, dayOf } from '#schemas/paths.ts'
import type { ObjectStore } from '../object-store/port.ts'
import type { Compaction } from './druid-compaction.ts'
import { dayTask, loadTask, markLayer } from './druid-load-specs.ts'
import { markOf, type Shown } from './druid-shown.ts'
import { type DruidNames, grainViews } from './druid-specs.ts'
import { digestOf, type Tasks } from './druid-tasks.ts'
import type { HourLoad } from './port.ts'
import { textSql } from './sql-print.ts'

/** Days whose hours are replaced together, at most: as many tasks, and two more, run at a time. */
const daysAtOnce = 2
const convertMemory = '512MB'

const loadPrefix = (run: string) => `loads/${run}/`

export interface LoadParts {
  readonly names: DruidNames
  readonly tasks: Tasks
  readonly shown: Shown
  readonly compaction: Compaction
  readonly objects: ObjectStore
  /** A directory of this store's own. */
  readonly scratch: string
  /** Sub-tasks of a load at once. */
  readonly subTasks: number
}

/** One row without clicks that says where the hour is from; an empty hour has it, too. */
const markSql = (load: HourLoad): string => {
  const blank = dimensionNames.map((name) => `'' AS ${name}`)
  const zeros = sumMetrics.map(({ name }) => `0 AS ${name}`)
  const own = `${textSql(load.run)} AS run, '${markLayer}' AS layer, ${textSql(markOf(load))} AS mark`
  return `SELECT CAST(${load.hour} AS BIGINT) AS minute, ${[...blank, ...zeros].join(', ')}, ${own}`
}

/** Writes the aggregates of Parquet files as gzipped JSON lines, with their run and the hour's mark. */
async function convert(paths: readonly string[], load: HourLoad, output: string): Promise<void> {
  const db = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: convertMemory,
    preserve_insertion_order: 'false',
  })
  const connection = await db.connect()
  const rows = `SELECT *, ${textSql(load.run)} AS run, 'batch' AS layer, '' AS mark FROM
    read_parquet([${paths.map(textSql).join(', ')}], hive_partitioning = false, union_by_name = true)`
  try {
    const columns = aggregateColumns.map(({ name }) => name)
    // Files staged before a dimension was added do not have its column.
    await connection.run(
      `CREATE TABLE shape (${aggregateColumns.map(({ name, sqlType }) => `${name} ${sqlType.split(' ')[0]}`).join(', ')})`,
    )
    const all = ['SELECT * FROM shape', ...(paths.length > 0 ? [rows] : []), markSql(load)]
    await connection.run(
      `COPY (SELECT ${columns.join(', ')}, run, layer, mark FROM (${all.join(' UNION ALL BY NAME ')}))
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
  const { names, tasks, shown, compaction, objects, scratch, subTasks } = parts

  /** @returns the load's object key */
  const hand = async (load: HourLoad): Promise<string> => {
    const { hour, run, files } = load
    const paths: string[] = []
    for (const key of files) paths.push(await objects.localPath(key))
    await mkdir(scratch, { recursive: true })
    const path = join(scratch, `${run}-${hour}.json.gz`)
    const key = `${loadPrefix(run)}${hour}.json.gz`
    try {
      await convert(paths, load, path)
      await objects.put(key, { path })
    } finally {
      await rm(path, { force: true })
    }
    return key
  }

  const isShown = async (grain: Grain, loads: readonly HourLoad[]): Promise<boolean> =>
    (await shown.loadedIn(grain, loads)).length === loads.length

  const replaceGrain = (view: 'batch' | 'hour', loads: readonly HourLoad[], keys: string[]) =>
    tasks.run({
      name: `load_${names[view]}_${digestOf(loads.map(markOf))}`,
      dataSource: names[view],
      spec: (id) =>
        loadTask(
          ...([id, names, view] as const),
          loads.map(({ hour }) => hour),
          keys.map(names.objectUri),
          subTasks,
        ),
      inForce: () => isShown(view === 'batch' ? 'minute' : 'hour', loads),
    })

  const replaceDay = (day: number, loads: readonly HourLoad[]) =>
    tasks.run({
      name: `load_${names.day}_${digestOf(loads.map(markOf))}`,
      dataSource: names.day,
      spec: (id) =>
        dayTask(id, names, { start: day, end: day + dayMs, from: 'hour', segments: 'DAY' }),
      inForce: () => isShown('day', loads),
    })

  /** @param days - loads by the day of their hours */
  const replace = async (days: ReadonlyMap<number, readonly HourLoad[]>): Promise<void> => {
    const given = [...days.values()].flat()
    const dropped = await shown.droppedHours([...days.keys()])
    const again = dropped.filter(({ hour }) => !given.some((load) => load.hour === hour))
    const loads = [...given, ...again].sort((a, b) => a.hour - b.hour)
    const keys: string[] = []
    for (const load of loads) keys.push(await hand(load))
    const byDay = Map.groupBy(loads, ({ hour }) => dayOf(hour))
    const rollUp = async () => {
      await compaction.part([...days.keys()])
      await replaceGrain('hour', loads, keys)
      await Promise.all([...byDay].map(([day, mine]) => replaceDay(day, mine)))
    }
    // Each to its end, also where another failed: nothing goes on behind the next load's back.
    const ended = await Promise.allSettled([replaceGrain('batch', loads, keys), rollUp()])
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
    // Also what a crash has left of the same runs.
    for (const run of new Set(loads.map((load) => load.run))) {
      for await (const { key } of objects.list(loadPrefix(run))) await objects.remove(key)
    }
  }

  return {
    async loadedHours(loads: readonly HourLoad[], finest: Grain = 'minute'): Promise<number[]> {
      let left = loads
      for (const grain of grains.slice(grains.indexOf(finest))) {
        left = await shown.loadedIn(grain, left)
      }
      return left.map(({ hour }) => hour)
    },
    settled: () => tasks.settled(grains.map((grain) => names[grainViews[grain]])),
    async replaceHours(loads: readonly HourLoad[]): Promise<void> {
      const byHour = new Map(loads.map((load) => [load.hour, load])) // the last word on an hour counts
      const ordered = [...byHour.values()].sort((a, b) => a.hour - b.hour)
      const days = [...Map.groupBy(ordered, ({ hour }) => dayOf(hour))]
      for (const some of chunksOf(days, daysAtOnce)) await replace(new Map(some))
    },
  }
}
