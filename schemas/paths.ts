// Object paths. The archive's manifests are the truth about which files count: a Parquet file
// that no manifest names is never read.

export const hourMs = 3_600_000
export const minuteMs = 60_000

const pad = (n: number, width: number) => String(n).padStart(width, '0')

/** `year=2026/month=11/day=22/hour=05` of the hour that holds `time` (ms). */
export function hourPath(time: number): string {
  const d = new Date(time)
  const day = `year=${d.getUTCFullYear()}/month=${pad(d.getUTCMonth() + 1, 2)}/day=${pad(d.getUTCDate(), 2)}`
  return `${day}/hour=${pad(d.getUTCHours(), 2)}`
}

/** Raw clicks of one event hour, out of one contiguous range [first, end) of one partition. */
export function rawFilePath(hour: number, partition: number, first: number, end: number): string {
  return `raw/${hourPath(hour)}/p${partition}-${first}-${end}.parquet`
}

export const manifestPrefix = (partition: number) => `manifests/p${pad(partition, 5)}/`

/** Keyed by the first offset alone: two archivers cannot both publish what starts there. */
export function manifestPath(partition: number, first: number): string {
  return `${manifestPrefix(partition)}${pad(first, 16)}.json`
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

/** Start of the hour that holds `time` (ms). */
export const hourOf = (time: number): number => Math.floor(time / hourMs) * hourMs
