// The rule set in force, from the catalogue: the newest version.
import { defaultRuleSet, parseRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import type { Queryable } from './catalogue/port.ts'

/** The newest rule set; the default one where none was ever stored. */
export async function currentRuleSet(catalogue: Queryable): Promise<RuleSet> {
  const [row] = await catalogue.query<{ body: string }>(
    'SELECT body FROM rule_sets ORDER BY version DESC LIMIT 1',
  )
  return row ? parseRuleSet(JSON.parse(row.body)) : defaultRuleSet
}
