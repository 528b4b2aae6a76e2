// Of the hours whose look-back got late clicks, most are not changed by them. Those are only noted
// as looked at; the others are rebuilt.

import type { RuleSet } from '#core/rules/rule-set.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { hourMs } from '#schemas/paths.ts'
import type { AffectedInput } from './affected-worker.ts'
import type { BuiltHour, DirtyHour } from './dirty-hours.ts'
import { filesByHour, reachOf, readArchiveVersion } from './plan.ts'

export interface NarrowParts {
  readonly catalogue: Catalogue
  /** Runs affected-worker.ts. */
  affected(input: Omit<AffectedInput, 'settings'>): Promise<number[]>
}

/** Keeps the dirty hours that must be rebuilt; marks the others as built from the archive of now. */
export async function narrowDirty(
  { catalogue, affected }: NarrowParts,
  dirty: readonly DirtyHour[],
  built: readonly BuiltHour[],
  ruleSet: RuleSet,
): Promise<DirtyHour[]> {
  const doubtful = dirty.filter(({ own }) => !own).map(({ hour }) => hour)
  if (doubtful.length === 0) return [...dirty]
  const versions = built.filter(({ hour }) => doubtful.includes(hour)).map(({ version }) => version)
  const known = Math.min(...versions)
  const now = await readArchiveVersion(catalogue)
  const start = Math.min(...doubtful) - reachOf(ruleSet)
  const end = Math.max(...doubtful) + hourMs
  const fresh = [
    ...(await filesByHour(catalogue, start, end, { after: known, upTo: now })).values(),
  ]
  const first = Math.min(...fresh.map(({ hour }) => hour))
  const all = [...(await filesByHour(catalogue, first, end, { after: 0, upTo: now })).values()]
  const changed = new Set(fresh.length === 0 ? [] : await affected({ ruleSet, fresh, all }))
  const unchanged = doubtful.filter((hour) => !changed.has(hour))
  await catalogue.transaction(async (tx) => {
    for (const hour of unchanged) {
      await tx.query('UPDATE published_hours SET archive_version = $2 WHERE hour = $1', [hour, now])
    }
  })
  return dirty.filter(({ hour, own }) => own || changed.has(hour))
}
