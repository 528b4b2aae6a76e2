// A rebuild as a transaction over hours: plan -> stage -> diff -> publish -> verify. Nothing that
// a query can see changes before publish; an hour changes in one instant.
import { randomUUID } from 'node:crypto'
import { persist } from '#platform/catalogue/persist.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { until } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { diffHours } from './diff.ts'
import { type HourRules, planRebuild, type RebuildPlan, type RebuildTask } from './plan.ts'
import { beginRun, endRun, type NewRun, recordPublished, recordStaged } from './runs.ts'
import type { StagedHour } from './stage-worker.ts'

const loadTimeoutMs = 600_000

export interface RebuildParts {
  readonly catalogue: Catalogue
  readonly olap: OlapStore
  readonly now: () => number
  readonly taskClicksMax: number
  /** Aborted when the layer closes: nothing is waited for any more. */
  readonly signal?: AbortSignal
  /** Runs one task on a worker. */
  stage(runId: string, task: RebuildTask): Promise<StagedHour[]>
}

export interface RebuildRequest {
  readonly kind: NewRun['kind']
  readonly reason: string
  readonly hours: readonly HourRules[]
}

export interface RebuildResult {
  readonly runId: string
  readonly hours: number
  readonly clicks: number
  readonly changedHours: number
}

async function stageAll(parts: RebuildParts, plan: RebuildPlan): Promise<StagedHour[]> {
  const tasks = plan.tasks.map(async (task) => {
    const staged = await parts.stage(plan.runId, task)
    // Hours of judging need not be done again because the catalogue is away for a moment.
    await persist(() => recordStaged(parts.catalogue, plan, staged), parts.signal)
    return staged
  })
  const settled = await Promise.allSettled(tasks)
  const failed = settled.find((task) => task.status === 'rejected')
  if (failed) throw failed.reason
  return settled.flatMap((task) => (task.status === 'fulfilled' ? task.value : []))
}

async function publish(parts: RebuildParts, plan: RebuildPlan, staged: readonly StagedHour[]) {
  const { olap, catalogue, now } = parts
  const loads: HourLoad[] = staged.map(({ hour, files }) => ({ hour, run: plan.runId, files }))
  await olap.replaceHours(loads)
  await until(async () => (await olap.loadedHours(loads)).length === loads.length, {
    timeoutMs: loadTimeoutMs,
    everyMs: 50,
    what: `the store shows the hours of run ${plan.runId}`,
  })
  // The store shows them already: not to say so would leave it and the catalogue at odds.
  await persist(
    () => catalogue.transaction((tx) => recordPublished(tx, plan, staged, now())),
    parts.signal,
  )
}

/** Reads the published totals back and compares them with what was staged. */
async function verify(parts: RebuildParts, plan: RebuildPlan, staged: readonly StagedHour[]) {
  const wrong = await diffHours(parts.olap, staged)
  if (wrong.length === 0) return
  throw new ClickledgerError(
    'internal',
    `run ${plan.runId}: the store answers otherwise than staged for ${wrong.length} hours, first ${new Date(wrong[0]?.hour ?? 0).toISOString()}`,
  )
}

/**
 * Rebuilds hours from the archive and publishes them.
 * @param onBegin - called with the run id as soon as the run is recorded
 * @throws whatever stopped it; the run is recorded as failed, and what was not published stays as it was
 */
export async function rebuildHours(
  parts: RebuildParts,
  request: RebuildRequest,
  onBegin?: (runId: string) => void,
): Promise<RebuildResult> {
  const { catalogue, now, signal } = parts
  const { kind, reason, hours } = request
  const runId = randomUUID()
  const run: NewRun = {
    ...{ runId, kind, reason, startedAt: now() },
    ruleSet: Math.max(...hours.map(({ ruleSet }) => ruleSet.version)),
    hours: hours.map(({ hour }) => hour),
  }
  await persist(() => beginRun(catalogue, run), signal)
  const end = (status: 'done' | 'failed', result: unknown) =>
    persist(() => endRun(catalogue, runId, status, now(), result), signal)
  onBegin?.(runId)
  try {
    const { taskClicksMax } = parts
    const plan = await planRebuild(catalogue, { runId, hours, taskClicksMax })
    const staged = await stageAll(parts, plan)
    const diff = await diffHours(parts.olap, staged)
    await publish(parts, plan, staged)
    await verify(parts, plan, staged)
    const clicks = staged.reduce((sum, h) => sum + h.valid + h.duplicate + h.invalid, 0)
    const result = { runId, hours: staged.length, clicks, changedHours: diff.length }
    await end('done', { ...result, diff })
    return result
  } catch (error) {
    // Where even this fails, the next start records it.
    await end('failed', { error: (error as Error).message }).catch(() => {})
    throw error
  }
}
