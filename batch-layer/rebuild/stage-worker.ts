// A rebuild worker (a piscina thread, one DuckDB thread): judges the hours of one task and stages
// what they amount to. Only small numbers go back to the planner.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Settings } from '#platform/config.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { pause } from '#platform/wait.ts'
import { hourMs, stagedFolder, stagedPath, verdictsName } from '#schemas/paths.ts'
import { type Workspace, withWorkspace } from '../workspace.ts'
import { keysOf, localHours, namingBroken } from './local-hours.ts'
import type { RebuildTask } from './plan.ts'
import {
  aggregateSql,
  clicksSql,
  hourParts,
  hourVerdictsSql,
  type LocalHour,
  othersSql,
  verdictsSql,
} from './stage-sql.ts'

/**
 * Memory that aggregating needs for each click of a part: member lists cannot spill. Measured with
 * 1 GiB, every click a group of its own: 2 million clicks fit, 4 million do not.
 */
const aggregatingBytesPerClick = 1024
/** Memory that judging needs for each click of a slice: hashes of one rule's keys, in hash tables. */
const judgingBytesPerClick = 256

/** Level 1: for these files a seventh faster to write than the default level, and no bigger. */
const stagedFormat = 'FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1'

export interface StageInput {
  readonly runId: string
  readonly task: RebuildTask
  readonly settings: Settings
}

export interface StagedHour {
  readonly hour: number
  readonly ruleSet: number
  /** Object keys of the minute aggregates. */
  readonly files: readonly string[]
  readonly valid: number
  readonly duplicate: number
  readonly invalid: number
  readonly copies: number
  /** Clicks by the rule that caught them. */
  readonly rules?: Readonly<Record<string, number>>
  /** Where it is not the plan's: the archive as it was for the clicks of other advertisers. */
  readonly archiveVersion?: number
}

async function countStatuses(
  connection: DuckDBConnection,
  paths: readonly string[],
): Promise<{ valid: number; duplicate: number; invalid: number }> {
  const list = paths.map((path) => `'${path}'`).join(', ')
  const result = await connection.runAndReadAll(
    `SELECT CAST(coalesce(sum(click_count), 0) AS DOUBLE), CAST(coalesce(sum(duplicate_click_count), 0) AS DOUBLE),
       CAST(coalesce(sum(fraudulent_click_count), 0) AS DOUBLE) FROM read_parquet([${list}])`,
  )
  const [valid, duplicate, invalid] = (result.getRows()[0] ?? []).map(Number)
  return { valid: valid ?? 0, duplicate: duplicate ?? 0, invalid: invalid ?? 0 }
}

async function stageHour(
  connection: DuckDBConnection,
  objects: ObjectStore,
  dir: string,
  { runId, task: { ruleSet, only }, settings }: StageInput,
  hour: LocalHour & { clicks: number },
): Promise<StagedHour> {
  const kept = only?.published.find((published) => published.hour === hour.hour)
  const copy = async (sql: string, name: string): Promise<{ key: string; path: string }> => {
    const path = join(dir, `${hour.hour}-${name}`)
    await connection.run(`COPY (${sql}) TO '${path}' (${stagedFormat})`)
    const key = stagedPath(runId, hour.hour, name)
    await objects.put(key, { path })
    return { key, path }
  }
  const partClicksMax = settings.CLICKLEDGER_REBUILD_MEMORY / aggregatingBytesPerClick
  const parts = hourParts(hour.hour, hour.clicks, partClicksMax)
  const staged: { key: string; path: string }[] = []
  for (const [i, part] of parts.entries()) {
    staged.push(await copy(aggregateSql(ruleSet, hour, part), `aggregates-${i}.parquet`))
  }
  const others = async (keys: readonly string[]) =>
    othersSql(
      await Promise.all(keys.map((key) => objects.localPath(key))),
      only?.advertiserId ?? '',
    )
  if (kept && kept.files.length > 0) {
    staged.push(await copy(await others(kept.files), 'aggregates-others.parquet'))
  }
  const own = hourVerdictsSql(ruleSet, hour)
  const [file] = kept?.files ?? []
  const verdictsSql = file
    ? `(${own}) UNION ALL BY NAME (${await others([stagedFolder(file) + verdictsName])})`
    : own
  const verdicts = await copy(verdictsSql, verdictsName)
  const counted = await countStatuses(
    connection,
    staged.map(({ path }) => path),
  )
  const caught = await connection.runAndReadAll(
    `SELECT rule, CAST(count(*) AS DOUBLE) FROM read_parquet('${verdicts.path}') GROUP BY rule`,
  )
  const { copy: copies = 0, ...rules } = Object.fromEntries(
    caught.getRows().map(([rule, clicks]) => [String(rule), Number(clicks)]),
  ) as Record<string, number>
  for (const { path } of [...staged, verdicts]) await rm(path)
  return {
    hour: hour.hour,
    ruleSet: kept?.ruleSet ?? ruleSet.version,
    ...(kept ? { archiveVersion: kept.archiveVersion } : {}),
    files: staged.map(({ key }) => key),
    ...counted,
    ...{ copies, rules },
  }
}

/** Stages the hours of a task: aggregates and verdicts under the run's own prefix. */
export async function stageTask(input: StageInput): Promise<StagedHour[]> {
  const staged = await withWorkspace(input.settings, { name: 'task', inFile: true }, (workspace) =>
    stageHours(input, workspace),
  )
  await pause(input.settings.CLICKLEDGER_REBUILD_PAUSE)
  return staged
}

async function stageHours(input: StageInput, workspace: Workspace): Promise<StagedHour[]> {
  const { task } = input
  const { connection, objects } = workspace
  const ofTask = (hour: LocalHour): LocalHour =>
    task.only ? { ...hour, advertiserId: task.only.advertiserId } : hour
  const own = (await localHours(connection, objects, task.hours)).map(ofTask)
  const before =
    own.length > 0 ? (await localHours(connection, objects, task.lookBack)).map(ofTask) : []
  const hours = [...before, ...own]
  const keys = keysOf(hours, [...task.lookBack, ...task.hours])
  return namingBroken(connection, keys, () => stageLocal(input, workspace, own, hours))
}

/** @param hours - the task's own, and those before them that rules look back to */
async function stageLocal(
  input: StageInput,
  { connection, objects, dir }: Workspace,
  own: readonly LocalHour[],
  hours: readonly LocalHour[],
): Promise<StagedHour[]> {
  const { task, settings } = input
  const { ruleSet } = task
  const staged: StagedHour[] = []
  const nothing = { files: [], valid: 0, duplicate: 0, invalid: 0, copies: 0 }
  if (own.length > 0) {
    await connection.run(`CREATE TEMP VIEW clicks AS ${clicksSql(hours)}`)
    const start = task.hours[0]?.hour ?? 0
    const end = (task.hours[task.hours.length - 1]?.hour ?? 0) + hourMs
    const clicks = task.hours.reduce((sum, hour) => sum + hour.clicks, 0)
    const slices = Math.max(
      1,
      Math.ceil((clicks * judgingBytesPerClick) / settings.CLICKLEDGER_REBUILD_MEMORY),
    )
    for (const sql of verdictsSql(ruleSet, { start, end }, slices)) await connection.run(sql)
  }
  for (const { hour, clicks } of task.hours) {
    const local = own.find((candidate) => candidate.hour === hour)
    staged.push(
      local
        ? await stageHour(connection, objects, dir, input, { ...local, clicks })
        : { hour, ruleSet: ruleSet.version, ...nothing },
    )
  }
  return staged
}
