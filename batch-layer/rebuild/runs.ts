// Runs in the catalogue: what was rebuilt, from what, under which rules, and how far it is. A change of
// state names the states it may follow, so that an operator's word is never written over.
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError, type ErrorCode } from '#schemas/errors.ts'
import {
  among,
  isQueuedKindSql,
  type RunKind,
  type RunPlan,
  type RunStatus,
} from '#schemas/runs.ts'
import type { StagedHour } from './stage-worker.ts'

export interface Run {
  readonly runId: string
  readonly kind: RunKind
  readonly status: RunStatus
  readonly reason: string
  readonly plan: RunPlan
}

export interface NewRun extends Run {
  readonly ruleSet: number
  readonly startedAt: number
}

/** Records a run before anything of it happens. */
export async function beginRun(catalogue: Queryable, run: NewRun): Promise<void> {
  const { runId, kind, status, reason, ruleSet, startedAt, plan } = run
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (run_id) DO NOTHING`,
    [runId, kind, status, reason, ruleSet, startedAt, JSON.stringify(plan)],
  )
}

interface RunRow {
  run_id: string
  kind: RunKind
  status: RunStatus
  reason: string
  plan: string
}

const toRun = (row: RunRow): Run => ({
  runId: row.run_id,
  kind: row.kind,
  status: row.status,
  reason: row.reason,
  plan: JSON.parse(row.plan),
})

/** Runs in one of these states, the oldest first. @param queued - only those that wait in the catalogue */
export async function runsIn(
  catalogue: Queryable,
  statuses: readonly RunStatus[],
  { queued = false } = {},
): Promise<Run[]> {
  const rows = await catalogue.query<RunRow>(
    `SELECT run_id, kind, status, reason, plan FROM runs
     WHERE status IN (${among(statuses)}) ${queued ? `AND ${isQueuedKindSql}` : ''}
     ORDER BY started_at, run_id`,
  )
  return rows.map(toRun)
}

export async function readRun(catalogue: Queryable, runId: string): Promise<Run | undefined> {
  const [row] = await catalogue.query<RunRow>(
    'SELECT run_id, kind, status, reason, plan FROM runs WHERE run_id = $1',
    [runId],
  )
  return row && toRun(row)
}

/**
 * Moves a run on.
 * @throws ClickledgerError `run-state` where it is in none of the states `from`: it was cancelled, say
 */
export async function moveRun(
  catalogue: Queryable,
  runId: string,
  from: readonly RunStatus[],
  to: RunStatus,
  diff?: unknown,
): Promise<void> {
  const rows = await catalogue.query(
    `UPDATE runs SET status = $2, diff = CASE WHEN $3 = '' THEN diff ELSE $3 END
     WHERE run_id = $1 AND status IN (${among([...from, to])}) RETURNING run_id`,
    [runId, to, diff === undefined ? '' : JSON.stringify(diff)],
  )
  if (rows.length > 0) return
  const now = await readRun(catalogue, runId)
  throw new ClickledgerError('run-state', `run ${runId} is ${now?.status ?? 'gone'}`)
}

export async function savePlan(
  catalogue: Queryable,
  runId: string,
  plan: RunPlan,
  ruleSet: number,
): Promise<void> {
  await catalogue.query('UPDATE runs SET plan = $2, rule_set = $3 WHERE run_id = $1', [
    runId,
    JSON.stringify(plan),
    ruleSet,
  ])
}

/** Ends a run, unless an operator has ended it before. */
export async function endRun(
  catalogue: Queryable,
  runId: string,
  status: 'done' | 'failed',
  at: number,
  result: unknown,
): Promise<void> {
  await catalogue.query(
    `UPDATE runs SET status = $2, finished_at = $3, result = $4
     WHERE run_id = $1 AND status <> 'cancelled'`,
    [runId, status, at, JSON.stringify(result)],
  )
}

/** Of an error, what a run keeps. */
export function failureOf(error: unknown): { error: string; code: ErrorCode } {
  const code = error instanceof ClickledgerError ? error.code : 'internal'
  return { error: (error as Error).message, code }
}

/**
 * Runs that a process left behind when it died. What the scheduler had begun, were it only planned, is failed:
 * its hours will be planned anew. What somebody asked for can be resumed.
 */
export async function endAbandonedRuns(catalogue: Queryable, at: number): Promise<void> {
  const told = (what: string) =>
    JSON.stringify({ error: `the process ended before the run did${what}`, code: 'internal' })
  await catalogue.query(
    `UPDATE runs SET status = 'interrupted', finished_at = $1, result = $2
     WHERE status IN ('running', 'publishing') AND ${isQueuedKindSql}`,
    [at, told('; resume it')],
  )
  await catalogue.query(
    `UPDATE runs SET status = 'failed', finished_at = $1, result = $2
     WHERE status IN ('planned', 'running', 'publishing') AND NOT (${isQueuedKindSql})`,
    [at, told('')],
  )
}

export async function recordStaged(
  catalogue: Catalogue,
  runId: string,
  archiveVersion: number,
  staged: readonly StagedHour[],
): Promise<void> {
  await catalogue.transaction(async (tx) => {
    for (const staging of staged) {
      const { hour, ruleSet, files, valid, duplicate, invalid, copies, rules } = staging
      await tx.query(
        `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies, rules)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (run_id, hour) DO NOTHING`,
        [
          ...[runId, hour, ruleSet, staging.archiveVersion ?? archiveVersion],
          ...[
            JSON.stringify(files),
            valid,
            duplicate,
            invalid,
            copies,
            JSON.stringify(rules ?? {}),
          ],
        ],
      )
    }
  })
}

interface HourRow {
  hour: number
  run_id: string
  rule_set: number
  archive_version: number
  files: string
  valid: number
  duplicate: number
  invalid: number
  copies: number
  rules: string
}

const hourColumns =
  'h.hour AS hour, h.run_id AS run_id, h.rule_set AS rule_set, h.archive_version AS archive_version, h.files AS files, h.valid AS valid, h.duplicate AS duplicate, h.invalid AS invalid, h.copies AS copies, h.rules AS rules'

/** What a run has staged for an hour, with the run. */
export interface RunHour extends StagedHour {
  readonly runId: string
  readonly archiveVersion: number
}

const toRunHour = (row: HourRow): RunHour => ({
  runId: row.run_id,
  hour: Number(row.hour),
  ruleSet: Number(row.rule_set),
  archiveVersion: Number(row.archive_version),
  files: JSON.parse(row.files),
  valid: Number(row.valid),
  duplicate: Number(row.duplicate),
  invalid: Number(row.invalid),
  copies: Number(row.copies),
  rules: JSON.parse(row.rules),
})

/** Hours that a run has staged so far. */
export async function stagedHours(catalogue: Queryable, runId: string): Promise<RunHour[]> {
  const rows = await catalogue.query<HourRow>(
    `SELECT ${hourColumns} FROM run_hours h WHERE h.run_id = $1 ORDER BY h.hour`,
    [runId],
  )
  return rows.map(toRunHour)
}

/** Published hours in [start, end), with what their run had staged. */
export async function publishedIn(
  catalogue: Queryable,
  start: number,
  end: number,
): Promise<Map<number, RunHour>> {
  const rows = await catalogue.query<HourRow>(
    `SELECT ${hourColumns} FROM published_hours p
     JOIN run_hours h ON h.run_id = p.run_id AND h.hour = p.hour
     WHERE p.hour >= $1 AND p.hour < $2 ORDER BY p.hour`,
    [start, end],
  )
  return new Map(rows.map((row) => [Number(row.hour), toRunHour(row)]))
}

/** Says of each hour which run its numbers come from, and which one's they replace. */
export async function recordPublished(
  tx: Queryable,
  hours: readonly RunHour[],
  replaced: ReadonlyMap<number, RunHour>,
  at: number,
): Promise<void> {
  for (const { runId, hour, ruleSet, archiveVersion } of hours) {
    await tx.query(
      `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (hour) DO UPDATE SET run_id = excluded.run_id,
         rule_set = excluded.rule_set, archive_version = excluded.archive_version,
         published_at = excluded.published_at`,
      [hour, runId, ruleSet, archiveVersion, at],
    )
    await tx.query(
      'UPDATE run_hours SET replaced_run = $3, published_at = $4 WHERE run_id = $1 AND hour = $2',
      [runId, hour, replaced.get(hour)?.runId ?? '', at],
    )
  }
}
