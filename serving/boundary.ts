// The published boundary and the runs behind it, read for every request: two tiny queries, and no
// cache that could answer with an old boundary after its speed clicks have been dropped.
import type { Interval } from '#core/boundary.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { dayMs, dayOf, hourMs } from '#schemas/paths.ts'

export interface PublishedRun {
  readonly run_id: string
  readonly rule_set: number
  /** Hours of the range that this run's numbers are shown for. */
  readonly hours: number
  readonly published_at: number
}

/** Runs named in an answer, the newest; any newer publication changes the list. */
const runsMax = 50

/** The runs that the published numbers of the hours in [start, end) come from. */
export async function publishedRuns(
  catalogue: Queryable,
  start: number,
  end: number,
): Promise<PublishedRun[]> {
  const rows = await catalogue.query<{
    run_id: string
    rule_set: number
    hours: number
    published_at: number
  }>(
    `SELECT run_id, rule_set, count(*) AS hours, max(published_at) AS published_at
     FROM published_hours WHERE hour >= $1 AND hour < $2
     GROUP BY run_id, rule_set ORDER BY max(published_at) DESC, run_id LIMIT ${runsMax}`,
    [start, end],
  )
  return rows.map((row) => ({
    run_id: row.run_id,
    rule_set: Number(row.rule_set),
    hours: Number(row.hours),
    published_at: Number(row.published_at),
  }))
}

/** Hours of a range that runs are about to publish. */
const publishingSql = `FROM runs r JOIN run_hours h ON h.run_id = r.run_id
  WHERE r.status = 'publishing' AND h.published_at IS NULL AND h.hour >= $1 AND h.hour < $2`

/** Runs that are publishing hours of [start, end), which the store may show before the catalogue says so. */
export async function publishingRuns(
  catalogue: Queryable,
  start: number,
  end: number,
): Promise<string[]> {
  const rows = await catalogue.query<{ run_id: string }>(
    `SELECT DISTINCT r.run_id AS run_id ${publishingSql} ORDER BY r.run_id`,
    [start, end],
  )
  return rows.map(({ run_id }) => run_id)
}

/**
 * Hours of [start, end) that are being published for the first time, in order, with those beside them of which
 * nothing was ever published. To be read after `publishedRuns`: an hour that is published in between is then
 * of a run that is not known yet, and not of one that is known and left out.
 */
export async function arrivingHours(
  catalogue: Queryable,
  start: number,
  end: number,
): Promise<Interval[]> {
  const [span] = await catalogue.query<{ first: number | null; last: number | null }>(
    `SELECT min(h.hour) AS first, max(h.hour) AS last ${publishingSql}
       AND NOT EXISTS (SELECT 1 FROM published_hours p WHERE p.hour = h.hour)`,
    [start, end],
  )
  if (span?.first == null || span.last == null) return []
  // Whole days, so that no row of a day is read of which nothing is published.
  const all = { start: dayOf(Number(span.first)), end: dayOf(Number(span.last)) + dayMs }
  const published = await catalogue.query<{ hour: number }>(
    'SELECT hour FROM published_hours WHERE hour >= $1 AND hour < $2 ORDER BY hour',
    [all.start, all.end],
  )
  const hours = published.map(({ hour }) => Number(hour))
  const starts = [all.start, ...hours.map((hour) => hour + hourMs)]
  const gaps = starts.map((from, i) => ({ start: from, end: hours[i] ?? all.end }))
  return gaps.filter((gap) => gap.start < gap.end)
}

/** Version of the rule set in force: the one the speed view is judged by. */
export async function currentRuleSetVersion(catalogue: Queryable): Promise<number> {
  const [row] = await catalogue.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM rule_sets',
  )
  return Number(row?.version ?? 0)
}
