// Plans what somebody asked for: a backfill, a rehearsal, a rollback. A plan is complete before anything
// of it happens: it names the hours, the archive's version, the work, and how long that took before.
import { parseRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { RunPlan } from '#schemas/runs.ts'
import { checkArchive } from './archive-check.ts'
import { filesByHour, reachOf, readArchiveVersion } from './plan.ts'
import { publishedIn, type Run, type RunHour, recordStaged } from './runs.ts'

/** Runs whose speed a plan goes by. */
const runsLooked = 10

export interface PlanParts {
  readonly catalogue: Catalogue
  readonly objects: ObjectStore
  ruleSetOf(version: number): Promise<RuleSet>
}

const iso = (time: number) => new Date(time).toISOString()

/** Clicks per second that the last runs staged; undefined where none did. */
async function recordedSpeed(catalogue: Queryable): Promise<number | undefined> {
  const rows = await catalogue.query<{ result: string }>(
    `SELECT result FROM runs WHERE status = 'done' AND result LIKE '%"stagedMs"%'
     ORDER BY started_at DESC LIMIT ${runsLooked}`,
  )
  const done = rows.map((row) => JSON.parse(row.result) as { clicks: number; stagedMs: number })
  const clicks = done.reduce((sum, run) => sum + run.clicks, 0)
  const ms = done.reduce((sum, run) => sum + run.stagedMs, 0)
  return clicks > 0 && ms > 0 ? (clicks * 1000) / ms : undefined
}

async function hoursIn(catalogue: Queryable, from: number, to: number): Promise<number[]> {
  const rows = await catalogue.query<{ hour: number }>(
    `SELECT hour FROM archive_hours WHERE hour >= $1 AND hour < $2
     UNION SELECT hour FROM published_hours WHERE hour >= $1 AND hour < $2 ORDER BY hour`,
    [from, to],
  )
  return rows.map(({ hour }) => Number(hour))
}

/** The work of these hours, with their look-back checked too. */
async function measured(
  { catalogue, objects }: PlanParts,
  plan: RunPlan,
  reach: number,
): Promise<RunPlan> {
  const archiveVersion = await readArchiveVersion(catalogue)
  const starts = plan.hours.map(({ hour }) => hour)
  const versions = { after: 0, upTo: archiveVersion }
  const end = Math.max(...starts) + 1
  const files = await filesByHour(catalogue, Math.min(...starts) - reach, end, versions)
  await checkArchive(catalogue, objects, [...files.values()])
  const own = starts.flatMap((hour) => files.get(hour) ?? [])
  const sum = (of: (hour: (typeof own)[number]) => number) => own.reduce((n, h) => n + of(h), 0)
  const clicks = sum((hour) => hour.clicks)
  const speed = await recordedSpeed(catalogue)
  return {
    ...plan,
    archiveVersion,
    files: sum((hour) => hour.files.length),
    bytes: sum((hour) => hour.bytes ?? 0),
    clicks,
    ...(speed === undefined ? {} : { expectedSeconds: Math.ceil(clicks / speed) }),
  }
}

async function planRange(parts: PlanParts, plan: RunPlan): Promise<RunPlan> {
  const { catalogue, ruleSetOf } = parts
  const { from = 0, to = 0, ruleSet, rules, advertiserId } = plan
  const { boundary } = await boundaryInForce(catalogue)
  if (to > boundary) {
    throw new ClickledgerError(
      'bad-request',
      `to: the boundary is ${iso(boundary)}; hours from there on are not sealed yet, and are built when they are`,
    )
  }
  const starts = await hoursIn(catalogue, from, to)
  if (starts.length === 0) {
    throw new ClickledgerError('not-found', `no archived hour in ${iso(from)} to ${iso(to)}`)
  }
  const newest = await currentRuleSet(catalogue)
  const tried = rules === undefined ? undefined : parseRuleSet(rules)
  const published = await publishedIn(catalogue, from, to)
  const unpublished = starts.find((hour) => !published.has(hour))
  if (advertiserId !== undefined && unpublished !== undefined) {
    throw new ClickledgerError(
      'bad-request',
      `advertiser: ${iso(unpublished)} was never published; build it for all advertisers first`,
    )
  }
  const hours = starts.map((hour) => ({
    hour,
    ruleSet: tried?.version ?? ruleSet ?? published.get(hour)?.ruleSet ?? newest.version,
  }))
  const versions = [...new Set(hours.map((hour) => hour.ruleSet))]
  const sets = await Promise.all(tried ? [tried] : versions.map(ruleSetOf))
  return measured(parts, { ...plan, hours }, Math.max(...sets.map(reachOf)))
}

/**
 * The numbers that a run replaced become its hours' numbers again. They count as built from what the
 * archive has now: else the next look would build them anew, and nobody could take anything back.
 */
async function planRollback({ catalogue }: PlanParts, run: Run): Promise<RunPlan> {
  const target = run.plan.rollsBack ?? ''
  const rows = await catalogue.query<{
    hour: number
    version: number
    replaced_run: string
    rule_set: number
    files: string | null
    swept_at: number | null
    valid: number
    duplicate: number
    invalid: number
    copies: number
    rules: string
  }>(
    `SELECT p.hour AS hour, p.archive_version AS version, h.replaced_run AS replaced_run,
       b.rule_set AS rule_set, b.files AS files, b.swept_at AS swept_at, b.valid AS valid,
       b.duplicate AS duplicate, b.invalid AS invalid, b.copies AS copies, b.rules AS rules
     FROM published_hours p JOIN run_hours h ON h.run_id = p.run_id AND h.hour = p.hour
     LEFT JOIN run_hours b ON b.run_id = h.replaced_run AND b.hour = p.hour
     WHERE p.run_id = $1 AND h.replaced_run <> '' ORDER BY p.hour`,
    [target],
  )
  if (rows.length === 0) {
    throw new ClickledgerError(
      'run-state',
      `run ${target} is not behind any hour that had numbers before: nothing to roll back`,
    )
  }
  const swept = rows.find((row) => row.files === null || row.swept_at !== null)
  if (swept) {
    throw new ClickledgerError(
      'run-state',
      `the output of run ${swept.replaced_run} for ${iso(Number(swept.hour))} is no longer kept (CLICKLEDGER_RUNS_KEPT); backfill instead`,
    )
  }
  const staged = rows.map(
    (row): RunHour => ({
      runId: run.runId,
      hour: Number(row.hour),
      ruleSet: Number(row.rule_set),
      archiveVersion: Number(row.version),
      files: JSON.parse(row.files ?? '[]'),
      valid: Number(row.valid),
      duplicate: Number(row.duplicate),
      invalid: Number(row.invalid),
      copies: Number(row.copies),
      rules: JSON.parse(row.rules),
    }),
  )
  const archiveVersion = Math.max(...staged.map((hour) => hour.archiveVersion))
  await recordStaged(catalogue, run.runId, archiveVersion, staged)
  const hours = staged.map(({ hour, ruleSet }) => ({ hour, ruleSet }))
  const files = staged.reduce((sum, hour) => sum + hour.files.length, 0)
  const clicks = staged.reduce((sum, h) => sum + h.valid + h.duplicate + h.invalid, 0)
  return { ...run.plan, hours, archiveVersion, files, clicks }
}

/**
 * Completes the plan of a run that was asked for.
 * @throws ClickledgerError `bad-request`, `not-found`, `archive-gap`, `run-state`: why it cannot be done
 */
export function completePlan(parts: PlanParts, run: Run): Promise<RunPlan> {
  return run.kind === 'rollback' ? planRollback(parts, run) : planRange(parts, run.plan)
}
