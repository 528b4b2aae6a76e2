// Late clicks can change verdicts of later hours, as far as a rule's window reaches. Which hours
// really change is asked of the archive: those with a click that shares a key with a late one.

import { identityRule, isRepeat, type RepeatRule, type RuleSet } from '#core/rules/rule-set.ts'
import { hourMs } from '#schemas/paths.ts'

const keyColumns = (rule: RepeatRule) => ['advertiser_id', ...rule.key]
/** Two relations' rows share the key of a rule. */
export const sameKey = (rule: RepeatRule, a: string, b: string) =>
  keyColumns(rule)
    .map((name) => `${a}.${name} = ${b}.${name}`)
    .join(' AND ')
/** No part of a rule's key is unknown. */
export const present = (rule: RepeatRule, at: string) =>
  rule.key.map((field) => `${at}.${field} <> ''`).join(' AND ')

/** Hours with a click that follows a changed one of the same key inside the rule's window. */
function followersSql(rule: RepeatRule): string {
  return `SELECT c.event_time - c.event_time % ${hourMs} AS hour FROM clicks c
    JOIN changed e ON ${sameKey(rule, 'c', 'e')}
    WHERE ${present(rule, 'c')} AND c.event_time >= e.event_time AND c.event_time - e.event_time < ${rule.windowMs}`
}

/**
 * SQL over relations `fresh` (clicks of new files) and `clicks` (all clicks of the hours in
 * question): the hours whose verdicts may differ because of the fresh ones. May name too many
 * hours, never too few: a fresh click can also turn others of its identity into copies, so those
 * count as changed too.
 */
export function affectedHoursSql(ruleSet: RuleSet): string {
  const rules = ruleSet.rules.filter(isRepeat)
  return `WITH changed AS (
      SELECT * FROM fresh UNION ALL
      SELECT c.* FROM clicks c SEMI JOIN fresh f ON ${sameKey(identityRule, 'c', 'f')}
    )
    SELECT DISTINCT CAST(hour AS DOUBLE) AS hour FROM (
      SELECT event_time - event_time % ${hourMs} AS hour FROM changed
      ${rules.map((rule) => `UNION ALL ${followersSql(rule)}`).join('\n')}
    ) found`
}
