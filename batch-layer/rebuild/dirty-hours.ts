// Which hours below the boundary the archive has outgrown. Derived, never marked: an hour is dirty
// when the archive got files, in the hour or in its look-back, after the version it was built from.
import type { Queryable } from '#platform/catalogue/port.ts'

export interface ArchiveHour {
  readonly hour: number
  /** Archive version at which the hour got its newest file. */
  readonly version: number
}

export interface BuiltHour {
  readonly hour: number
  /** Archive version that its published numbers were built from. */
  readonly version: number
  readonly ruleSet: number
}

export interface DirtyHour {
  readonly hour: number
  /** Own files are new; otherwise only the look-back changed. */
  readonly own: boolean
  /** Rule set it was published under; undefined: never published. */
  readonly ruleSet: number | undefined
}

/**
 * Dirty hours below the boundary.
 * @param reachMs - how far an hour's verdicts look back
 */
export function dirtyHours(
  archive: readonly ArchiveHour[],
  built: readonly BuiltHour[],
  boundary: number,
  reachMs: number,
): DirtyHour[] {
  const builtBy = new Map(built.map((hour) => [hour.hour, hour]))
  const ordered = archive.filter(({ hour }) => hour < boundary).sort((a, b) => a.hour - b.hour)
  return ordered.flatMap(({ hour, version }, i): DirtyHour[] => {
    const known = builtBy.get(hour)
    const ruleSet = known?.ruleSet
    if (!known || version > known.version) return [{ hour, own: true, ruleSet }]
    for (let j = i - 1; j >= 0; j--) {
      const before = ordered[j]
      if (!before || before.hour < hour - reachMs) break
      if (before.version > known.version) return [{ hour, own: false, ruleSet }]
    }
    return []
  })
}

/** Reads what `dirtyHours` needs. */
export async function readHours(
  catalogue: Queryable,
): Promise<{ archive: ArchiveHour[]; built: BuiltHour[] }> {
  const archive = await catalogue.query<{ hour: number; version: number }>(
    'SELECT hour, version FROM archive_hours',
  )
  const built = await catalogue.query<{ hour: number; rule_set: number; archive_version: number }>(
    'SELECT hour, rule_set, archive_version FROM published_hours',
  )
  return {
    archive: archive.map((row) => ({ hour: Number(row.hour), version: Number(row.version) })),
    built: built.map((row) => ({
      hour: Number(row.hour),
      version: Number(row.archive_version),
      ruleSet: Number(row.rule_set),
    })),
  }
}
