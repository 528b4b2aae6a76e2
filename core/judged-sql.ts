// What a rebuild makes of clicks and their verdicts, as SQL that DuckDB and Spark both run: minute
// aggregates, and the clicks that are not simply valid. Both read a relation `verdicts` (set-based.ts).
// Copies are nowhere counted, but listed among the exceptions.
import { aggregateGroupSql, aggregateSelectSql } from './minute-aggregates.ts'
import type { RuleSet } from './rules/rule-set.ts'
import { copyRank, type TimeRange, verdictColumns } from './rules/set-based.ts'

const samePosition = 'c.raw_partition = v.raw_partition AND c.raw_offset = v.raw_offset'

/**
 * Query of the minute aggregates of a range.
 * @param clicks - a relation with the archive's columns: a name, or a query in parentheses
 */
export function judgedAggregatesSql(
  ruleSet: RuleSet,
  clicks: string,
  { start, end }: TimeRange,
): string {
  const { status } = verdictColumns(ruleSet)
  return `${aggregateSelectSql} FROM (
      SELECT c.*, ${status} AS status FROM ${clicks} c
      LEFT JOIN verdicts v ON ${samePosition}
      WHERE c.event_time >= ${start} AND c.event_time < ${end}
        AND (v.verdict_rank IS NULL OR v.verdict_rank <> ${copyRank})
    ) judged ${aggregateGroupSql}`
}

/** How exceptions are ordered in their file. */
export const exceptionsOrder = ['advertiser_id', 'event_id'] as const

/**
 * Query of the clicks that are not simply valid, with `status` and `rule`; both are `copy` for a copy.
 * @param clicks - a relation with the archive's columns: a name, or a query in parentheses
 */
export function exceptionsSql(ruleSet: RuleSet, clicks: string): string {
  const { status, rule } = verdictColumns(ruleSet)
  const isCopy = `v.verdict_rank = ${copyRank}`
  return `SELECT c.advertiser_id, c.event_id, c.event_time, c.ad_id, c.raw_partition, c.raw_offset,
      CASE WHEN ${isCopy} THEN 'copy' ELSE ${status} END AS status,
      CASE WHEN ${isCopy} THEN 'copy' ELSE ${rule} END AS rule
    FROM ${clicks} c JOIN verdicts v ON ${samePosition}`
}
