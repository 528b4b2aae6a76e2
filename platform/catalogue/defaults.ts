// What a new installation begins with: the first rule set and the first boundary. Several processes
// may start at once; only the first of them makes anything.
import { defaultRuleSetJson } from '#core/rules/rule-set.ts'
import { ensureFirstBoundary } from '../boundaries.ts'
import type { Catalogue } from './port.ts'

/**
 * Makes the default rule set (version 1) and the first boundary (the hour of `now`) where the
 * catalogue has none. Idempotent.
 * @param now - milliseconds
 */
export async function ensureDefaults(catalogue: Catalogue, now: number): Promise<void> {
  await catalogue.transaction(async (tx) => {
    const [any] = await tx.query('SELECT version FROM rule_sets LIMIT 1')
    if (any) return
    await tx.query(
      `INSERT INTO rule_sets (version, body, created_at, created_by) VALUES (1, $1, $2, 'installation')
       ON CONFLICT (version) DO NOTHING`,
      [JSON.stringify(defaultRuleSetJson), now],
    )
  })
  await ensureFirstBoundary(catalogue, now)
}
