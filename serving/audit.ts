// The audit log: who did which administrative act, to what. Written with the act, in its transaction
// where it has one.
import { randomUUID } from 'node:crypto'
import type { Principal } from '#platform/api-keys.ts'
import type { Queryable } from '#platform/catalogue/port.ts'

/** Name of a key's holder in records: enough to find the key, nothing to use it with. */
export function actorOf({ role, prefix, name }: Principal): string {
  return `${role}:${prefix}${name === '' ? '' : ` (${name})`}`
}

/** @param detail - no secrets: kept for good */
export async function audit(
  catalogue: Queryable,
  now: number,
  principal: Principal,
  action: string,
  subject: string,
  detail: unknown = {},
): Promise<void> {
  await catalogue.query(
    `INSERT INTO audit_log (audit_id, at, actor, action, subject, detail)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [randomUUID(), now, actorOf(principal), action, subject, JSON.stringify(detail)],
  )
}
