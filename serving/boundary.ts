// The published boundary and the runs behind it, read for every request: two tiny queries, and no
// cache that could answer with an old boundary after its speed clicks have been dropped.
import type { Queryable } from '#platform/catalogue/port.ts'

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

/** Version of the rule set in force: the one the speed view is judged by. */
export async function currentRuleSetVersion(catalogue: Queryable): Promise<number> {
  const [row] = await catalogue.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM rule_sets',
  )
  return Number(row?.version ?? 0)
}
