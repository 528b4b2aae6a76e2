// Object paths. The archive's manifests are the truth about which files count: a Parquet file
// that no manifest names is never read.

export const hourMs = 3_600_000
export const minuteMs = 60_000
export const dayMs = 86_400_000

const pad = (n: number, width: number) => String(n).padStart(width, '0')

/** `year=2026/month=11/day=22/hour=05` of the hour that holds `time` (ms). */
export function hourPath(time: number): string {
  const d = new Date(time)
  const day = `year=${d.getUTCFullYear()}/month=${pad(d.getUTCMonth() + 1, 2)}/day=${pad(d.getUTCDate(), 2)}`
  return `${day}/hour=${pad(d.getUTCHours(), 2)}`
}

/** What is archived: `raw` is the truth that batch is built from, `judged` what the speed layer said. */
export type ArchiveName = 'raw' | 'judged'

/** A contiguous range of offsets of one partition. */
export interface OffsetRange {
  readonly partition: number
  readonly first: number
  readonly end: number // exclusive
}

/** Clicks of one event hour, out of one range of offsets. */
export function archivedFilePath(archive: ArchiveName, hour: number, range: OffsetRange): string {
  const { partition, first, end } = range
  return `${archive}/${hourPath(hour)}/p${partition}-${first}-${end}.parquet`
}

export const manifestPrefix = (partition: number, archive: ArchiveName = 'raw') =>
  `manifests/${archive === 'raw' ? '' : `${archive}/`}p${pad(partition, 5)}/`

/** Keyed by the first offset alone: two archivers cannot both publish what starts there. */
export function manifestPath(
  partition: number,
  first: number,
  archive: ArchiveName = 'raw',
): string {
  return `${manifestPrefix(partition, archive)}${pad(first, 16)}.json`
}

/** All that a run staged. */
export const runPrefix = (run: string) => `runs/${run}/`

/** What a rebuild run staged for one hour. */
export function stagedPath(run: string, hour: number, name: string): string {
  return `${runPrefix(run)}${hourPath(hour)}/${name}`
}

export const verdictsName = 'verdicts.parquet'

/** Where a run that staged these files of an hour has put its other output of that hour. */
export const stagedFolder = (file: string): string => file.slice(0, file.lastIndexOf('/') + 1)

/** The run that staged a file. */
export const runOfFile = (file: string): string => file.split('/')[1] ?? ''

/** Start of the hour that holds `time` (ms). */
export const hourOf = (time: number): number => Math.floor(time / hourMs) * hourMs

/** Start of the UTC day that holds `time` (ms). */
export const dayOf = (time: number): number => Math.floor(time / dayMs) * dayMs
