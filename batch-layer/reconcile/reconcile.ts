// Reconciliation: what batch says of an hour against what the speed layer said, and why they differ.
// It follows publications and never holds them up; doing an hour again replaces what was recorded.
import { identityRule, type RuleSet } from '#core/rules/rule-set.ts'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import {
  differencesSince,
  dueHours,
  type HourDifference,
  recordReconciliation,
  recordWaiting,
} from '#platform/reconciliation.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { hourMs } from '#schemas/paths.ts'
import type { DifferenceClass } from '#schemas/reconciliation.ts'
import {
  filesByHour,
  groupHours,
  type HourFiles,
  reachOf,
  readArchiveVersion,
} from '../rebuild/plan.ts'
import { type BuiltHour, builtHours } from './built-hours.ts'
import { type Coverage, type CoverageParts, readCoverage } from './coverage.ts'
import type { DifferencesInput, FoundDifference } from './differences-worker.ts'

/** Hours of one look of `reconcileDue`; the rest is for the next one. */
const dueMax = 48
/** Hours that wait, or got more judged clicks, are looked at again after so long. */
const retryMs = 60_000
/** The gauge of differences covers what was compared in this time. */
const alarmMs = 86_400_000
const detailCharsMax = 500

export interface ReconcileParts extends CoverageParts {
  readonly catalogue: Catalogue
  /** What the speed layer remembers at least. */
  readonly historyMs: number
  /** Clicks compared in one go; an hour is never split. */
  readonly taskClicksMax: number
  ruleSetOf(version: number): Promise<RuleSet>
  /** Runs differences-worker.ts. */
  compare(input: Omit<DifferencesInput, 'settings'>): Promise<FoundDifference[]>
  /** Told the differences by class of the hours that were compared in the last day. */
  readonly onDifferences?: (clicks: Readonly<Record<DifferenceClass, number>>) => void
  /** Told what kept hours from being compared. */
  readonly onFailure?: (error: unknown) => void
}

export interface ReconcileOrder {
  /** The run whose verdicts are compared; empty: hours that no run has built. */
  readonly runId: string
  /** Starts of hours, ms. */
  readonly hours: readonly number[]
}

export interface ReconcileResult {
  readonly compared: number
  /** Hours that could not be compared to the end; they are due again. */
  readonly waiting: number
  readonly differences: number
}

interface Task extends Omit<BuiltHour, 'hour' | 'verdicts'> {
  readonly runId: string
  /** Neighbouring hours, with the files that the run was built from. */
  readonly hours: readonly HourFiles[]
  /** Object keys of their verdicts. */
  readonly verdicts: readonly string[]
}

/** Hours that can be compared together. */
const kindOf = ({ ruleSet, exceptions, archiveVersion, isRolledBack }: BuiltHour) =>
  JSON.stringify([
    ...[ruleSet.version, archiveVersion, isRolledBack],
    ...exceptions.map((e) => [e.advertiserId, e.ruleSet.version]),
  ])

/** Hours that no run has built: all that was judged in them is batch's loss, or nobody's click. */
async function unbuilt(
  { catalogue }: ReconcileParts,
  hours: readonly number[],
): Promise<BuiltHour[]> {
  const ruleSet = await currentRuleSet(catalogue)
  return hours.map((hour) => ({ hour, ruleSet, exceptions: [], archiveVersion: 0 }))
}

async function planTasks(parts: ReconcileParts, order: ReconcileOrder): Promise<Task[]> {
  const { catalogue, taskClicksMax } = parts
  const { runId, hours: asked } = order
  const built = runId === '' ? await unbuilt(parts, asked) : await builtHours(parts, runId, asked)
  const tasks: Task[] = []
  for (const group of Map.groupBy(built, kindOf).values()) {
    const [first] = group
    if (!first) continue
    const starts = group.map(({ hour }) => hour)
    const range = [Math.min(...starts), Math.max(...starts) + hourMs] as const
    const versions = { after: 0, upTo: first.archiveVersion }
    const files = await filesByHour(catalogue, ...range, versions)
    const own = starts.map((hour) => files.get(hour) ?? { hour, files: [], clicks: 0 })
    const verdictsOf = new Map(group.map(({ hour, verdicts }) => [hour, verdicts]))
    for (const hours of groupHours(own, taskClicksMax)) {
      const verdicts = hours.flatMap(({ hour }) => verdictsOf.get(hour) ?? [])
      tasks.push({ ...first, runId, hours, verdicts })
    }
  }
  return tasks
}

async function compareTask(
  { catalogue, historyMs, compare }: ReconcileParts,
  task: Task,
  ends: Extract<Coverage, { kind: 'covered' }>['ends'],
): Promise<{ differences: FoundDifference[]; judgedVersion: number }> {
  const { ruleSet, exceptions, archiveVersion, hours, verdicts } = task
  const start = hours[0]?.hour ?? 0
  const end = (hours[hours.length - 1]?.hour ?? 0) + hourMs
  const judgedVersion = await readArchiveVersion(catalogue, 'judged')
  const [held] = await catalogue.query<{ held_since: number }>(
    'SELECT held_since FROM judged_version WHERE id = 1',
  )
  const all = { after: 0, upTo: Number.MAX_SAFE_INTEGER }
  const raw = async (from: number, to: number, versions = all) => [
    ...(await filesByHour(catalogue, from, to, versions)).values(),
  ]
  const judged = async (from: number, to: number) => [
    ...(
      await filesByHour(catalogue, from, to, { after: 0, upTo: judgedVersion }, 'judged')
    ).values(),
  ]
  const reach = Math.max(...[ruleSet, ...exceptions.map((e) => e.ruleSet)].map(reachOf))
  const copies = identityRule.windowMs
  const differences = await compare({
    ...{ ruleSet, exceptions, historyMs, ends, hours, verdicts },
    heldSince: Number(held?.held_since ?? 0),
    later: await raw(start, end, { ...all, after: archiveVersion }),
    judged: await judged(start, end),
    around: await raw(start - reach, end + reach),
    judgedAround: await judged(start - copies, end + copies),
  })
  return { differences, judgedVersion }
}

const isTold = (d: FoundDifference): d is FoundDifference & HourDifference =>
  d.class !== 'pending' && d.class !== 'before-archive'

/** What is said of an hour, beside its differences. */
function describe(differences: readonly FoundDifference[], { isRolledBack }: Task) {
  const count = (name: FoundDifference['class']) =>
    differences.reduce((sum, d) => sum + (d.class === name ? d.clicks : 0), 0)
  const [pending, lost] = [count('pending'), count('before-archive')]
  const details = [
    ...(pending > 0 ? [`${pending} judged clicks are newer than what the run was built from`] : []),
    ...(lost > 0 ? [`${lost} clicks were judged before the archive of verdicts began`] : []),
  ]
  return {
    state: pending > 0 && !isRolledBack ? 'waiting' : 'compared',
    detail: details.join('; '),
  } as const
}

async function reconcileTask(
  parts: ReconcileParts,
  task: Task,
  coverage: Coverage,
): Promise<ReconcileResult> {
  const { catalogue, now } = parts
  const { runId, hours } = task
  const wait = async (detail: string): Promise<ReconcileResult> => {
    for (const { hour } of hours) {
      await recordWaiting(catalogue, { hour, runId }, detail.slice(0, detailCharsMax), now())
    }
    return { compared: 0, waiting: hours.length, differences: 0 }
  }
  if (coverage.kind === 'waiting') return wait(coverage.detail)
  let result: Awaited<ReturnType<typeof compareTask>>
  try {
    result = await compareTask(parts, task, coverage.ends)
  } catch (error) {
    // A file that is gone or broken concerns its hours: the others need not wait for its repair.
    parts.onFailure?.(error)
    return wait((error as Error).message)
  }
  const { differences, judgedVersion } = result
  const total = { compared: 0, waiting: 0, differences: 0 }
  for (const { hour, clicks } of hours) {
    const own = differences.filter((difference) => difference.hour === hour)
    const said = describe(own, task)
    const told = own.filter(isTold)
    await catalogue.transaction((tx) =>
      recordReconciliation(tx, {
        ...{ hour, runId, ...said, judgedVersion, compared: clicks },
        ...{ reconciledAt: now(), differences: told },
      }),
    )
    total[said.state]++
    total.differences += told.reduce((sum, difference) => sum + difference.clicks, 0)
  }
  return total
}

/**
 * Compares hours of a run with what the speed layer said of them, and records each difference by its
 * class. Hours that are not judged, or whose verdicts are not archived, within `waitMs`, or whose files
 * cannot be read, are recorded as waiting, with the reason: `reconcileDue` takes them up again.
 */
export async function reconcileHours(
  parts: ReconcileParts,
  order: ReconcileOrder,
): Promise<ReconcileResult> {
  const total = { compared: 0, waiting: 0, differences: 0 }
  if (order.hours.length === 0) return total
  const coverage = await readCoverage(parts)
  for (const task of await planTasks(parts, order)) {
    if (parts.signal?.aborted) break
    const result = await reconcileTask(parts, task, coverage)
    total.compared += result.compared
    total.waiting += result.waiting
    total.differences += result.differences
  }
  return total
}

/** Compares what is due, some hours at a time, and tells how things stand. */
export async function reconcileDue(parts: ReconcileParts): Promise<ReconcileResult> {
  const { catalogue, now, onDifferences } = parts
  const { boundary } = await boundaryInForce(catalogue)
  const due = await dueHours(catalogue, {
    boundary,
    retryBefore: now() - retryMs,
    limit: dueMax,
  })
  const total = { compared: 0, waiting: 0, differences: 0 }
  for (const [runId, hours] of Map.groupBy(due, (hour) => hour.runId)) {
    const result = await reconcileHours(parts, { runId, hours: hours.map(({ hour }) => hour) })
    total.compared += result.compared
    total.waiting += result.waiting
    total.differences += result.differences
  }
  onDifferences?.(await differencesSince(catalogue, now() - alarmMs))
  return total
}
