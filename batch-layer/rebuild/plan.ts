// A rebuild plan is a value: which hours, from which files, under which rule set, in which tasks.

import { lookBackMs, type RuleSet } from '#core/rules/rule-set.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { type ArchiveName, hourMs } from '#schemas/paths.ts'
import { tablesOf } from '../archive/feeds.ts'

export interface HourFiles {
  readonly hour: number
  readonly files: readonly string[]
  readonly clicks: number
  readonly bytes?: number
}

/** Neighbouring hours that one worker rebuilds together, so that they share one look-back. */
export interface RebuildTask {
  readonly ruleSet: RuleSet
  readonly hours: readonly HourFiles[]
  /** Files of the hours before, as far as the rules look back. */
  readonly lookBack: readonly HourFiles[]
  /** Only this advertiser is judged; absent: all. */
  readonly only?: OnlyAdvertiser
}

export interface OnlyAdvertiser {
  readonly advertiserId: string
  /** What is published of the task's hours: the other advertisers' numbers stay as they are there. */
  readonly published: readonly PublishedHour[]
}

export interface PublishedHour {
  readonly hour: number
  readonly ruleSet: number
  readonly archiveVersion: number
  readonly files: readonly string[]
}

export interface RebuildPlan {
  readonly runId: string
  /** The archive as it was when planned: exactly the files of this version and older. */
  readonly archiveVersion: number
  readonly tasks: readonly RebuildTask[]
}

export interface HourRules {
  /** Start of the hour, ms. */
  readonly hour: number
  readonly ruleSet: RuleSet
}

export interface PlanRequest {
  readonly runId: string
  /** Hours to rebuild, in any order, each under its rule set. */
  readonly hours: readonly HourRules[]
  /** Clicks of one task, at most; an hour is never split. */
  readonly taskClicksMax: number
  /** The archive as it is to be read; absent: as it is now. */
  readonly archiveVersion?: number | undefined
  readonly only?: OnlyAdvertiser | undefined
}

interface FileRow {
  path: string
  hour: number
  clicks: number
  bytes: number
}

/** Archive versions: those after `after`, up to and with `upTo`. */
export interface Versions {
  readonly after: number
  readonly upTo: number
}

/** Files of the hours in [start, end) that the archive got in a range of its versions. */
export async function filesByHour(
  catalogue: Queryable,
  start: number,
  end: number,
  { after, upTo }: Versions,
  archive: ArchiveName = 'raw',
): Promise<Map<number, HourFiles>> {
  const rows = await catalogue.query<FileRow>(
    `SELECT path, hour, clicks, bytes FROM ${tablesOf[archive]}_files
     WHERE hour >= $1 AND hour < $2 AND version > $3 AND version <= $4 ORDER BY hour, path`,
    [start, end, after, upTo],
  )
  const hours = new Map<number, HourFiles>()
  for (const [hour, files] of Map.groupBy(rows, (row) => Number(row.hour))) {
    hours.set(hour, {
      hour,
      files: files.map((file) => file.path),
      clicks: files.reduce((sum, file) => sum + Number(file.clicks), 0),
      bytes: files.reduce((sum, file) => sum + Number(file.bytes), 0),
    })
  }
  return hours
}

/** Groups hours that follow each other, up to the limit of clicks. */
export function groupHours(hours: readonly HourFiles[], taskClicksMax: number): HourFiles[][] {
  const groups: HourFiles[][] = []
  let clicks = 0
  for (const hour of [...hours].sort((a, b) => a.hour - b.hour)) {
    const group = groups[groups.length - 1]
    const last = group?.[group.length - 1]
    if (
      group &&
      last &&
      hour.hour === last.hour + hourMs &&
      clicks + hour.clicks <= taskClicksMax
    ) {
      group.push(hour)
      clicks += hour.clicks
    } else {
      groups.push([hour])
      clicks = hour.clicks
    }
  }
  return groups
}

const noFiles = { files: [], clicks: 0, bytes: 0 }

/** Plans a rebuild. Hours without any archived file are planned too: they become empty. */
export async function planRebuild(
  catalogue: Queryable,
  request: PlanRequest,
): Promise<RebuildPlan> {
  const { runId, hours, taskClicksMax, only } = request
  const archiveVersion = request.archiveVersion ?? (await readArchiveVersion(catalogue))
  const tasks: RebuildTask[] = []
  for (const [, group] of Map.groupBy(hours, ({ ruleSet }) => ruleSet.version)) {
    const ruleSet = group[0]?.ruleSet
    if (!ruleSet) continue
    const reach = reachOf(ruleSet)
    const starts = group.map(({ hour }) => hour)
    const from = Math.min(...starts) - reach
    const end = Math.max(...starts) + hourMs
    const files = await filesByHour(catalogue, from, end, { after: 0, upTo: archiveVersion })
    const wanted = starts.map((hour) => files.get(hour) ?? { hour, ...noFiles })
    for (const together of groupHours(wanted, taskClicksMax)) {
      const start = together[0]?.hour ?? 0
      const lookBack = [...files.values()].filter(
        ({ hour }) => hour >= start - reach && hour < start,
      )
      tasks.push({
        ...{ ruleSet, hours: together, lookBack },
        ...(only ? { only } : {}),
      })
    }
  }
  return { runId, archiveVersion, tasks }
}

/** How far a rule set looks back, in whole hours (ms). */
export const reachOf = (ruleSet: RuleSet): number =>
  Math.ceil(lookBackMs(ruleSet) / hourMs) * hourMs

/** Version of the archive: raised by each manifest. */
export async function readArchiveVersion(
  catalogue: Queryable,
  archive: ArchiveName = 'raw',
): Promise<number> {
  const [row] = await catalogue.query<{ version: number }>(
    `SELECT version FROM ${tablesOf[archive]}_version`,
  )
  return Number(row?.version ?? 0)
}
