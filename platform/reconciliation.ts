// Reconciliation as the catalogue records it: the batch layer writes it, serving reads it.
import {
  type DifferenceClass,
  type DifferenceExample,
  differenceClassNames,
} from '#schemas/reconciliation.ts'
import type { Queryable } from './catalogue/port.ts'

/** `compared`: final. `waiting`: the comparison is done again; `detail` says what it waits for. */
export type ReconciliationState = 'compared' | 'waiting'

export interface HourDifference {
  readonly advertiserId: string
  readonly class: DifferenceClass
  readonly clicks: number
  /** A few of them. */
  readonly examples: readonly DifferenceExample[]
}

export interface HourReconciliation {
  readonly hour: number
  /** The run that the hour's numbers come from; empty: batch has nothing in it. */
  readonly runId: string
  readonly state: ReconciliationState
  readonly detail: string
  /** Raw clicks of the hour that the run was built from, copies included. */
  readonly compared: number
  readonly reconciledAt: number
}

export interface ReconciledHour extends HourReconciliation {
  /** Version of the judged archive that it was compared with. */
  readonly judgedVersion: number
  readonly differences: readonly HourDifference[]
}

/** Says how an hour of a run compares. Repeating it changes nothing; doing it anew replaces it. */
export async function recordReconciliation(tx: Queryable, result: ReconciledHour): Promise<void> {
  const { hour, runId, state, detail, compared, reconciledAt, judgedVersion, differences } = result
  await tx.query('DELETE FROM reconciled_differences WHERE hour = $1 AND run_id = $2', [
    hour,
    runId,
  ])
  for (const { advertiserId, class: name, clicks, examples } of differences) {
    await tx.query(
      `INSERT INTO reconciled_differences (hour, run_id, advertiser_id, class, clicks, examples)
       VALUES ($1, $2, $3, $4, $5, $6)`,
      [hour, runId, advertiserId, name, clicks, JSON.stringify(examples)],
    )
  }
  await tx.query(
    `INSERT INTO reconciled_hours (hour, run_id, state, detail, judged_version, compared, reconciled_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hour, run_id) DO UPDATE SET
       state = excluded.state, detail = excluded.detail, judged_version = excluded.judged_version,
       compared = excluded.compared, reconciled_at = excluded.reconciled_at`,
    [hour, runId, state, detail, judgedVersion, compared, reconciledAt],
  )
}

/** Says what an hour waits for. What was found in it before stands until it is compared again. */
export async function recordWaiting(
  tx: Queryable,
  { hour, runId }: DueHour,
  detail: string,
  at: number,
): Promise<void> {
  await tx.query(
    `INSERT INTO reconciled_hours (hour, run_id, state, detail, judged_version, compared, reconciled_at)
     VALUES ($1, $2, 'waiting', $3, 0, 0, $4) ON CONFLICT (hour, run_id) DO UPDATE SET
       state = excluded.state, detail = excluded.detail, reconciled_at = excluded.reconciled_at`,
    [hour, runId, detail, at],
  )
}

/** Of each hour only what belongs to the numbers that are published now. */
const currentSql = `FROM reconciled_hours r LEFT JOIN published_hours p ON p.hour = r.hour
  WHERE r.run_id = coalesce(p.run_id, '')`

interface HourRow {
  hour: number
  run_id: string
  state: ReconciliationState
  detail: string
  compared: number
  reconciled_at: number
}

interface DifferenceRow {
  hour: number
  advertiser_id: string
  class: DifferenceClass
  clicks: number
  examples: string
}

export interface Reconciliation {
  readonly hours: readonly HourReconciliation[]
  /** Differences of these hours. */
  readonly differences: readonly (HourDifference & { readonly hour: number })[]
  /** Published hours of the range that nobody has looked at yet. */
  readonly unseen: number
  /** There are more hours or differences than were read. */
  readonly isCut: boolean
}

export interface ReconciliationRange {
  /** Hours [from, to), ms. */
  readonly from: number
  readonly to: number
  /** Rows read at most, of hours and of differences. */
  readonly rowsMax?: number
}

/** Reads how the published hours of a range compare with what the speed layer said. */
export async function reconciliationOf(
  catalogue: Queryable,
  { from, to, rowsMax = 10_000 }: ReconciliationRange,
): Promise<Reconciliation> {
  const hours = await catalogue.query<HourRow>(
    `SELECT r.hour AS hour, r.run_id AS run_id, r.state AS state, r.detail AS detail,
       r.compared AS compared, r.reconciled_at AS reconciled_at
     ${currentSql} AND r.hour >= $1 AND r.hour < $2 ORDER BY r.hour LIMIT $3`,
    [from, to, rowsMax + 1],
  )
  const until = hours.length > rowsMax ? Number(hours[rowsMax]?.hour) : to
  const differences = await catalogue.query<DifferenceRow>(
    `SELECT d.hour AS hour, d.advertiser_id AS advertiser_id, d.class AS class, d.clicks AS clicks,
       d.examples AS examples
     FROM reconciled_differences d LEFT JOIN published_hours p ON p.hour = d.hour
     WHERE d.run_id = coalesce(p.run_id, '') AND d.hour >= $1 AND d.hour < $2
     ORDER BY d.hour, d.advertiser_id, d.class LIMIT $3`,
    [from, until, rowsMax + 1],
  )
  const [unseen] = await catalogue.query<{ hours: number }>(
    `SELECT count(*) AS hours FROM published_hours p LEFT JOIN reconciled_hours r
       ON r.hour = p.hour AND r.run_id = p.run_id
     WHERE r.hour IS NULL AND p.hour >= $1 AND p.hour < $2`,
    [from, to],
  )
  return {
    hours: hours.slice(0, rowsMax).map((row) => ({
      hour: Number(row.hour),
      runId: row.run_id,
      state: row.state,
      detail: row.detail,
      compared: Number(row.compared),
      reconciledAt: Number(row.reconciled_at),
    })),
    differences: differences.slice(0, rowsMax).map((row) => ({
      hour: Number(row.hour),
      advertiserId: row.advertiser_id,
      class: row.class,
      clicks: Number(row.clicks),
      examples: JSON.parse(row.examples) as DifferenceExample[],
    })),
    unseen: Number(unseen?.hours ?? 0),
    isCut: hours.length > rowsMax || differences.length > rowsMax,
  }
}

/** Clicks by class, in the hours that were compared at `since` or later. */
export async function differencesSince(
  catalogue: Queryable,
  since: number,
): Promise<Record<DifferenceClass, number>> {
  const rows = await catalogue.query<{ class: DifferenceClass; clicks: number }>(
    `SELECT d.class AS class, sum(d.clicks) AS clicks FROM reconciled_differences d
     JOIN (SELECT r.hour AS hour, r.run_id AS run_id ${currentSql} AND r.reconciled_at >= $1) h
       ON h.hour = d.hour AND h.run_id = d.run_id
     GROUP BY d.class`,
    [since],
  )
  const none = Object.fromEntries(differenceClassNames.map((name) => [name, 0]))
  const found = rows.map((row) => [row.class, Number(row.clicks)])
  return { ...none, ...Object.fromEntries(found) } as Record<DifferenceClass, number>
}

export interface DueHour {
  readonly hour: number
  readonly runId: string
}

/**
 * Hours to compare, those that nobody has looked at first: published ones that were not compared since they were, or that
 * waited, or of which more judged clicks have come; and hours below the boundary with judged clicks
 * that no run has built.
 * @param retryBefore - what was looked at since then rests, ms
 */
export async function dueHours(
  catalogue: Queryable,
  { boundary, retryBefore, limit }: { boundary: number; retryBefore: number; limit: number },
): Promise<DueHour[]> {
  const isDue = `(r.hour IS NULL OR (r.reconciled_at < $1
    AND (r.state = 'waiting' OR coalesce(j.version, 0) > r.judged_version)))`
  const rows = await catalogue.query<{ hour: number; run_id: string }>(
    `SELECT hour, run_id FROM (
       SELECT p.hour AS hour, p.run_id AS run_id, coalesce(r.reconciled_at, 0) AS seen
       FROM published_hours p
       LEFT JOIN reconciled_hours r ON r.hour = p.hour AND r.run_id = p.run_id
       LEFT JOIN judged_hours j ON j.hour = p.hour
       WHERE ${isDue} AND p.published_at >= (SELECT held_since FROM judged_version WHERE id = 1)
       UNION ALL
       SELECT j.hour AS hour, '' AS run_id, coalesce(r.reconciled_at, 0) AS seen
       FROM judged_hours j
       LEFT JOIN published_hours p ON p.hour = j.hour
       LEFT JOIN reconciled_hours r ON r.hour = j.hour AND r.run_id = ''
       WHERE ${isDue} AND p.hour IS NULL AND j.hour < $2
     ) due ORDER BY seen, hour LIMIT $3`,
    [retryBefore, boundary, limit],
  )
  return rows.map((row) => ({ hour: Number(row.hour), runId: row.run_id }))
}
