// The rule set in force, from the catalogue: the newest version.
import { defaultRuleSet, parseRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Queryable } from './catalogue/port.ts'

/** The newest rule set; the default one where none was ever stored. */
export async function currentRuleSet(catalogue: Queryable): Promise<RuleSet> {
  const [row] = await catalogue.query<{ body: string }>(
    'SELECT body FROM rule_sets ORDER BY version DESC LIMIT 1',
  )
  return row ? parseRuleSet(JSON.parse(row.body)) : defaultRuleSet
}

/**
 * Looks rule sets up by version; a version never changes, so each is read once.
 * @throws ClickledgerError `not-found`
 */
export function createRuleSets(catalogue: Queryable): (version: number) => Promise<RuleSet> {
  const known = new Map<number, RuleSet>()
  return async (version) => {
    const found = known.get(version)
    if (found) return found
    const [row] = await catalogue.query<{ body: string }>(
      'SELECT body FROM rule_sets WHERE version = $1',
      [version],
    )
    if (!row) throw new ClickledgerError('not-found', `no rule set has version ${version}`)
    const parsed = parseRuleSet(JSON.parse(row.body))
    known.set(version, parsed)
    return parsed
  }
}
