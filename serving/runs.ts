// Runs of the batch layer, as the catalogue records them: serving only reads.
import type { Queryable } from '#platform/catalogue/port.ts'
import { hourMs } from '#schemas/paths.ts'
import { isQueuedKindSql, type RunPlan } from '#schemas/runs.ts'

interface RunRow {
  run_id: string
  kind: string
  status: string
  reason: string
  rule_set: number
  started_at: number
  finished_at: number | null
  plan: string
  result: string
  diff: string
  created_by: string
  approved_by: string
  staged: number
  published: number
  clicks: number
}

export interface Run {
  readonly run_id: string
  readonly kind: string
  readonly status: string
  readonly reason: string
  readonly rule_set: number
  readonly started_at: string
  readonly finished_at: string | null
  readonly hours: number
  /** Hours that are staged; all of them are published together. */
  readonly hours_done: number
  /** Hours whose published numbers still come from this run. */
  readonly hours_published: number
  readonly clicks: number
  /** What is to be done; null until it is planned. */
  readonly plan: PlannedWork | null
  /** What publishing changes, once that is known: see batch-layer/rebuild/diff.ts. */
  readonly diff: unknown
  readonly created_by: string | null
  readonly approved_by: string | null
  readonly result: unknown
}

export interface PlannedWork {
  readonly from: string
  readonly to: string
  readonly hours: number
  readonly files: number
  readonly bytes: number
  readonly clicks: number
  /** By the speed of earlier runs; null: none was measured. */
  readonly expected_seconds: number | null
  readonly rule_sets: readonly number[]
  readonly advertiser_id: string | null
  readonly engine: string
  readonly dry_run: boolean
}

function parse(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const iso = (time: number) => new Date(time).toISOString()

function describePlan(plan: RunPlan): PlannedWork | null {
  const { hours, archiveVersion, files = 0, bytes = 0, clicks = 0 } = plan
  if (archiveVersion === undefined) return null
  const starts = hours.map(({ hour }) => hour)
  return {
    from: iso(plan.from ?? Math.min(...starts)),
    to: iso(plan.to ?? Math.max(...starts) + hourMs),
    ...{ hours: hours.length, files, bytes, clicks },
    expected_seconds: plan.expectedSeconds ?? null,
    rule_sets: [...new Set(hours.map(({ ruleSet }) => ruleSet))],
    advertiser_id: plan.advertiserId ?? null,
    engine: plan.engine ?? 'piscina',
    dry_run: plan.isDryRun ?? false,
  }
}

function describe(row: RunRow): Run {
  const staged = Number(row.staged)
  const plan = JSON.parse(row.plan) as RunPlan
  return {
    run_id: row.run_id,
    kind: row.kind,
    status: row.status,
    reason: row.reason,
    rule_set: Number(row.rule_set),
    started_at: new Date(Number(row.started_at)).toISOString(),
    finished_at: row.finished_at === null ? null : new Date(Number(row.finished_at)).toISOString(),
    hours: Math.max(plan.hours.length, staged),
    hours_done: staged,
    hours_published: Number(row.published),
    clicks: Number(row.clicks),
    plan: describePlan(plan),
    diff: parse(row.diff),
    created_by: row.created_by || null,
    approved_by: row.approved_by || null,
    result: parse(row.result),
  }
}

/** Runs, the newest first; one only where `runId` is given. */
export async function runsOf(
  catalogue: Queryable,
  { runId = '', limit, queued = false }: { runId?: string; limit: number; queued?: boolean },
): Promise<Run[]> {
  const rows = await catalogue.query<RunRow>(
    `SELECT r.run_id AS run_id, r.kind AS kind, r.status AS status, r.reason AS reason,
       r.rule_set AS rule_set, r.started_at AS started_at, r.finished_at AS finished_at,
       r.plan AS plan, r.result AS result, r.diff AS diff,
       r.created_by AS created_by, r.approved_by AS approved_by,
       (SELECT count(*) FROM run_hours h WHERE h.run_id = r.run_id) AS staged,
       (SELECT count(*) FROM published_hours p WHERE p.run_id = r.run_id) AS published,
       (SELECT coalesce(sum(h.valid + h.duplicate + h.invalid), 0) FROM run_hours h
        WHERE h.run_id = r.run_id) AS clicks
     FROM runs r WHERE ($1 = '' OR r.run_id = $1) ${queued ? `AND ${isQueuedKindSql}` : ''}
     ORDER BY r.started_at DESC, r.run_id DESC LIMIT $2`,
    [runId, limit],
  )
  return rows.map(describe)
}
