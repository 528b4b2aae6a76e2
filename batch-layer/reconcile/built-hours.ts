// What the verdicts of a run's hours were made from. A rollback shows what an older run had staged; a
// backfill of one advertiser leaves the others as an older run had judged them.
import type { RuleSet } from '#core/rules/rule-set.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { runOfFile, stagedFolder, verdictsName } from '#schemas/paths.ts'
import { type RunHour, readRun, stagedHours } from '../rebuild/runs.ts'

/** Backfills of one advertiser on top of each other that are looked through. */
const layersMax = 20

export interface BuiltHour {
  readonly hour: number
  readonly ruleSet: RuleSet
  /** Advertisers that were judged under another rule set than the rest. */
  readonly exceptions: readonly { readonly advertiserId: string; readonly ruleSet: RuleSet }[]
  readonly archiveVersion: number
  /** It was rolled back to: what came later is left out on purpose, and will not be built. */
  readonly isRolledBack?: boolean
  /** Key of its verdicts; absent where the run has nothing in the hour. */
  readonly verdicts?: string
}

export interface BuiltParts {
  readonly catalogue: Queryable
  ruleSetOf(version: number): Promise<RuleSet>
}

interface StagedRow {
  rule_set: number
  archive_version: number
  replaced_run: string
}

async function rowOf(catalogue: Queryable, runId: string, hour: number) {
  const [row] = await catalogue.query<StagedRow>(
    'SELECT rule_set, archive_version, replaced_run FROM run_hours WHERE run_id = $1 AND hour = $2',
    [runId, hour],
  )
  return row
}

/** Advertisers of an hour that were judged apart, by version: what was done last stands. */
async function judgedApart(
  catalogue: Queryable,
  runId: string,
  hour: number,
): Promise<Map<string, number>> {
  const apart = new Map<string, number>()
  let next = runId
  for (let i = 0; i < layersMax && next !== ''; i++) {
    const plan = (await readRun(catalogue, next))?.plan
    if (plan?.advertiserId === undefined) break
    const version = plan.hours.find((planned) => planned.hour === hour)?.ruleSet
    if (version !== undefined && !apart.has(plan.advertiserId))
      apart.set(plan.advertiserId, version)
    next = (await rowOf(catalogue, next, hour))?.replaced_run ?? ''
  }
  return apart
}

async function builtHour(
  { catalogue, ruleSetOf }: BuiltParts,
  staged: RunHour,
): Promise<BuiltHour> {
  const { hour, files } = staged
  const [file] = files
  if (file === undefined) {
    const ruleSet = await ruleSetOf(staged.ruleSet)
    return { hour, ruleSet, exceptions: [], archiveVersion: 0 }
  }
  const owner = runOfFile(file)
  const row = await rowOf(catalogue, owner, hour)
  const version = Number(row?.rule_set ?? staged.ruleSet)
  const exceptions = []
  for (const [advertiserId, other] of await judgedApart(catalogue, owner, hour)) {
    if (other !== version) exceptions.push({ advertiserId, ruleSet: await ruleSetOf(other) })
  }
  return {
    ...{
      hour,
      exceptions,
      ruleSet: await ruleSetOf(version),
      isRolledBack: owner !== staged.runId,
    },
    archiveVersion: Number(row?.archive_version ?? staged.archiveVersion),
    verdicts: stagedFolder(file) + verdictsName,
  }
}

/** How a run's hours came about, those of `hours` only. */
export async function builtHours(
  parts: BuiltParts,
  runId: string,
  hours: readonly number[],
): Promise<BuiltHour[]> {
  const wanted = new Set(hours)
  const staged = (await stagedHours(parts.catalogue, runId)).filter(({ hour }) => wanted.has(hour))
  const built: BuiltHour[] = []
  for (const hour of staged) built.push(await builtHour(parts, hour))
  return built
}
