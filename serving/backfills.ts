// Runs that operators ask for, as rows in the catalogue: whoever holds the lease of the batch layer finds
// them there. So every serving process takes requests, and none needs to know where the work is done.
import { randomUUID } from 'node:crypto'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { pause } from '#platform/wait.ts'
import { ClickledgerError, isErrorCode } from '#schemas/errors.ts'
import { among, type RunAction, type RunKind, type RunPlan, runActions } from '#schemas/runs.ts'
import { type Run, runsOf } from './runs.ts'

/** How long an answer waits for the plan; later it is found at the run's own address. */
const plannedWithinMs = 20_000
const lookEveryMs = 100

export interface NewRunRequest {
  readonly kind: Extract<RunKind, 'backfill' | 'rollback' | 'rehearsal'>
  readonly reason: string
  readonly plan: Omit<RunPlan, 'hours'>
  readonly createdBy: string
}

/** Records a request. @returns the run's id */
export async function requestRun(
  catalogue: Queryable,
  now: number,
  { kind, reason, plan, createdBy }: NewRunRequest,
): Promise<string> {
  const runId = randomUUID()
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan, created_by)
     VALUES ($1, $2, 'planned', $3, $4, $5, $6, $7)`,
    [
      ...[runId, kind, reason, plan.ruleSet ?? 0, now],
      ...[JSON.stringify({ ...plan, hours: [] } satisfies RunPlan), createdBy],
    ],
  )
  return runId
}

export async function runById(catalogue: Queryable, runId: string): Promise<Run> {
  const [run] = await runsOf(catalogue, { runId, limit: 1 })
  if (!run) throw new ClickledgerError('not-found')
  return run
}

/**
 * Waits a while for the plan.
 * @throws ClickledgerError why it could not be planned: `bad-request`, `archive-gap`, `run-conflict`, ...
 */
export async function untilPlanned(catalogue: Queryable, runId: string): Promise<Run> {
  const deadline = Date.now() + plannedWithinMs
  for (;;) {
    const run = await runById(catalogue, runId)
    if (run.status === 'failed' && !run.plan) {
      const { code, error } = (run.result ?? {}) as { code?: unknown; error?: unknown }
      throw new ClickledgerError(isErrorCode(code) ? code : 'internal', `${error} (run ${runId})`)
    }
    if (run.status !== 'planned' || run.plan || Date.now() > deadline) return run
    await pause(lookEveryMs)
  }
}

/**
 * Asks for a change of a run's state.
 * @throws ClickledgerError `not-found`, or `run-state` where its state does not allow it
 */
export async function actOnRun(
  catalogue: Catalogue,
  runId: string,
  action: RunAction,
  actor: string,
): Promise<Run> {
  const { kinds, from, to } = runActions[action]
  const changes = {
    approve: { sql: ', approved_by = $2', params: [actor] },
    cancel: { sql: '', params: [] },
    resume: { sql: ", finished_at = NULL, result = ''", params: [] },
  }[action]
  const rows = await catalogue.query(
    `UPDATE runs SET status = '${to}'${changes.sql} WHERE run_id = $1
       AND status IN (${among(from)}) AND kind IN (${among(kinds)}) RETURNING run_id`,
    [runId, ...changes.params],
  )
  const run = await runById(catalogue, runId)
  if (rows.length > 0) return run
  if (!kinds.some((kind) => kind === run.kind)) {
    throw new ClickledgerError(
      'run-state',
      `a run of kind ${run.kind} is not taken up again: the scheduler plans its hours anew by itself`,
    )
  }
  throw new ClickledgerError(
    'run-state',
    `the run is ${run.status}; ${action} is possible where it is ${from.join(' or ')}`,
  )
}
