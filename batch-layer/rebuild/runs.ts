// Runs in the catalogue: what was rebuilt, from what, under which rules, and how far it is.
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import type { RebuildPlan } from './plan.ts'
import type { StagedHour } from './stage-worker.ts'

export interface NewRun {
  readonly runId: string
  readonly kind: 'seal' | 'rebuild'
  readonly reason: string
  readonly ruleSet: number
  readonly startedAt: number
  readonly hours: readonly number[]
}

/** Records a run before anything of it happens. */
export async function beginRun(catalogue: Queryable, run: NewRun): Promise<void> {
  const { runId, kind, reason, ruleSet, startedAt, hours } = run
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ($1, $2, 'running', $3, $4, $5, $6) ON CONFLICT (run_id) DO NOTHING`,
    [runId, kind, reason, ruleSet, startedAt, JSON.stringify({ hours })],
  )
}

export async function endRun(
  catalogue: Queryable,
  runId: string,
  status: 'done' | 'failed',
  at: number,
  result: unknown,
): Promise<void> {
  await catalogue.query(
    'UPDATE runs SET status = $2, finished_at = $3, result = $4 WHERE run_id = $1',
    [runId, status, at, JSON.stringify(result)],
  )
}

/** Runs that a process left behind when it died are failed: their hours will be planned anew. */
export async function failAbandonedRuns(catalogue: Queryable, at: number): Promise<void> {
  await catalogue.query(
    `UPDATE runs SET status = 'failed', finished_at = $1, result = $2 WHERE status = 'running'`,
    [at, JSON.stringify({ error: 'the process ended before the run did' })],
  )
}

export async function recordStaged(
  catalogue: Catalogue,
  plan: RebuildPlan,
  staged: readonly StagedHour[],
): Promise<void> {
  await catalogue.transaction(async (tx) => {
    for (const { hour, ruleSet, files, valid, duplicate, invalid, copies } of staged) {
      await tx.query(
        `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (run_id, hour) DO NOTHING`,
        [
          ...[plan.runId, hour, ruleSet, plan.archiveVersion, JSON.stringify(files)],
          ...[valid, duplicate, invalid, copies],
        ],
      )
    }
  })
}

/** Says of each hour which run its numbers come from. In the publication's transaction. */
export async function recordPublished(
  tx: Queryable,
  plan: RebuildPlan,
  hours: readonly StagedHour[],
  at: number,
): Promise<void> {
  for (const { hour, ruleSet } of hours) {
    await tx.query(
      `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hour) DO UPDATE SET run_id = excluded.run_id,
         rule_set = excluded.rule_set, archive_version = excluded.archive_version,
         published_at = excluded.published_at`,
      [hour, plan.runId, ruleSet, plan.archiveVersion, at],
    )
  }
}
