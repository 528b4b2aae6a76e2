// Runs of the batch layer, as the catalogue records them: serving only reads.
import type { Queryable } from '#platform/catalogue/port.ts'

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
  readonly result: unknown
}

function parse(text: string): unknown {
  if (text === '') return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Hours that a plan names; the plan belongs to the batch layer, so nothing is taken for granted. */
function plannedHours(plan: unknown): number {
  if (typeof plan !== 'object' || plan === null || !('hours' in plan)) return 0
  return Array.isArray(plan.hours) ? plan.hours.length : Number(plan.hours) || 0
}

function describe(row: RunRow): Run {
  const staged = Number(row.staged)
  return {
    run_id: row.run_id,
    kind: row.kind,
    status: row.status,
    reason: row.reason,
    rule_set: Number(row.rule_set),
    started_at: new Date(Number(row.started_at)).toISOString(),
    finished_at: row.finished_at === null ? null : new Date(Number(row.finished_at)).toISOString(),
    hours: Math.max(plannedHours(parse(row.plan)), staged),
    hours_done: staged,
    hours_published: Number(row.published),
    clicks: Number(row.clicks),
    result: parse(row.result),
  }
}

/** Runs, the newest first; one only where `runId` is given. */
export async function runsOf(
  catalogue: Queryable,
  { runId = '', limit }: { runId?: string; limit: number },
): Promise<Run[]> {
  const rows = await catalogue.query<RunRow>(
    `SELECT r.run_id AS run_id, r.kind AS kind, r.status AS status, r.reason AS reason,
       r.rule_set AS rule_set, r.started_at AS started_at, r.finished_at AS finished_at,
       r.plan AS plan, r.result AS result,
       (SELECT count(*) FROM run_hours h WHERE h.run_id = r.run_id) AS staged,
       (SELECT count(*) FROM published_hours p WHERE p.run_id = r.run_id) AS published,
       (SELECT coalesce(sum(h.valid + h.duplicate + h.invalid), 0) FROM run_hours h
        WHERE h.run_id = r.run_id) AS clicks
     FROM runs r WHERE $1 = '' OR r.run_id = $1
     ORDER BY r.started_at DESC, r.run_id DESC LIMIT $2`,
    [runId, limit],
  )
  return rows.map(describe)
}
