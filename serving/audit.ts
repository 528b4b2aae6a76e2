// The audit log: who did which administrative act, to what, and who took data out. Written with the
// act, in its transaction where it has one; the database refuses to change or remove a row.
import { randomUUID } from 'node:crypto'
import type { Principal } from '#platform/api-keys.ts'
import type { Queryable, SqlValue } from '#platform/catalogue/port.ts'

/** Of a detail; longer ones are cut. Rule sets and queries are kept elsewhere, or can be asked again. */
const detailCharsMax = 16_384

/** Name of a key's holder in records: enough to find the key, nothing to use it with. */
export function actorOf({ role, prefix, name }: Principal): string {
  return `${role}:${prefix}${name === '' ? '' : ` (${name})`}`
}

function toText(detail: unknown): string {
  const text = JSON.stringify(detail)
  return text.length <= detailCharsMax
    ? text
    : JSON.stringify({ cut: text.slice(0, detailCharsMax) })
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
    [randomUUID(), now, actorOf(principal), action, subject, toText(detail)],
  )
}

export interface Export {
  /** What it was taken through. */
  readonly kind: 'report' | 'sql'
  /** csv, parquet, ... */
  readonly format: string
  /** The question: parameters or statement. */
  readonly query: unknown
}

/**
 * Records that data leaves, before it does: an export that cannot be recorded is not given.
 * @throws ClickledgerError `unavailable` where the catalogue is away
 */
export function auditExport(
  catalogue: Queryable,
  now: number,
  principal: Principal,
  { kind, format, query }: Export,
): Promise<void> {
  return audit(catalogue, now, principal, `export.${kind}`, format, query)
}

export interface AuditQuestion {
  /** Milliseconds: [since, until). */
  readonly since: number
  readonly until: number // exclusive
  /** Beginnings; empty: all. */
  readonly actor: string
  readonly action: string
  /** To the letter; empty: all. */
  readonly subject: string
  /** The last entry of the page before. */
  readonly before: AuditPosition | undefined
  readonly limit: number
}

export interface AuditPosition {
  readonly at: number
  readonly auditId: string
}

export interface AuditEntry extends AuditPosition {
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly detail: unknown
}

interface Row {
  audit_id: string
  at: number
  actor: string
  action: string
  subject: string
  detail: string
}

/** Entries from the newest to the oldest. */
export async function readAudit(
  catalogue: Queryable,
  { since, until, actor, action, subject, before, limit }: AuditQuestion,
): Promise<AuditEntry[]> {
  const params: SqlValue[] = [since, until, limit]
  const place = (value: SqlValue) => `$${params.push(value)}`
  const conditions = ['at >= $1', 'at < $2']
  const beginning = { actor, action }
  for (const [column, text] of Object.entries(beginning)) {
    if (text === '') continue
    conditions.push(`substr(${column}, 1, ${[...text].length}) = ${place(text)}`)
  }
  if (subject !== '') conditions.push(`subject = ${place(subject)}`)
  if (before) {
    const at = place(before.at)
    conditions.push(`(at < ${at} OR (at = ${at} AND audit_id < ${place(before.auditId)}))`)
  }
  const rows = await catalogue.query<Row>(
    `SELECT audit_id, at, actor, action, subject, detail FROM audit_log
     WHERE ${conditions.join(' AND ')} ORDER BY at DESC, audit_id DESC LIMIT $3`,
    params,
  )
  return rows.map(({ audit_id, at, actor, action, subject, detail }) => ({
    ...{ auditId: audit_id, at: Number(at), actor, action, subject },
    detail: JSON.parse(detail || '{}'),
  }))
}
