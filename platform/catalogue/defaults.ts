// What a new installation begins with: the first rule set and the first boundary. Several processes
// may start at once; only the first of them makes anything.
import { firstBoundary } from '#core/boundary.ts'
import { defaultRuleSetJson } from '#core/rules/rule-set.ts'
import type { Catalogue } from './port.ts'

const madeBy = 'installation'

/**
 * Makes the default rule set (version 1) and the first boundary (the hour of `now`) where the
 * catalogue has none. Idempotent.
 * @param now - milliseconds
 */
export async function ensureDefaults(catalogue: Catalogue, now: number): Promise<void> {
  await catalogue.transaction(async (tx) => {
    const [ruleSet] = await tx.query('SELECT version FROM rule_sets LIMIT 1')
    if (!ruleSet) {
      await tx.query(
        `INSERT INTO rule_sets (version, body, created_at, created_by) VALUES (1, $1, $2, $3)
         ON CONFLICT (version) DO NOTHING`,
        [JSON.stringify(defaultRuleSetJson), now, madeBy],
      )
    }
    const [boundary] = await tx.query('SELECT boundary_id FROM boundaries LIMIT 1')
    if (!boundary) {
      await tx.query(
        `INSERT INTO boundaries (boundary_id, boundary, published_at, published_by, reason, proof)
         VALUES (1, $1, $2, $3, 'first start', '{}') ON CONFLICT (boundary_id) DO NOTHING`,
        [firstBoundary(now), now, madeBy],
      )
    }
  })
}
