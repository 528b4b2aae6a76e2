// The upkeep of API keys: listed, rotated, revoked. A key is named by its id; neither the key nor its
// hash leaves the catalogue again.
import { makeApiKey, type Role, splitIds } from '#platform/api-keys.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'

export interface KeyRecord {
  readonly key_id: string
  readonly prefix: string
  readonly role: Role
  readonly advertiser_ids: readonly string[]
  readonly publisher_ids: readonly string[]
  readonly name: string
  readonly created_at: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
  /** To the minute. */
  readonly last_used_at: string | null
  readonly replaced_by: string | null
  readonly state: 'active' | 'expired' | 'revoked'
}

interface Row {
  key_id: string
  prefix: string
  role: Role
  advertiser_id: string
  publisher_id: string
  name: string
  created_at: number
  expires_at: number | null
  revoked_at: number | null
  last_used_at: number | null
  replaced_by: string
}

const columns = `key_id, prefix, role, advertiser_id, publisher_id, name, created_at, expires_at,
  revoked_at, last_used_at, replaced_by`

const iso = (time: number | null) => (time === null ? null : new Date(Number(time)).toISOString())

function stateOf({ revoked_at, expires_at }: Row, now: number): KeyRecord['state'] {
  if (revoked_at !== null) return 'revoked'
  return expires_at !== null && Number(expires_at) <= now ? 'expired' : 'active'
}

const describe = (row: Row, now: number): KeyRecord => ({
  ...{ key_id: row.key_id, prefix: row.prefix, role: row.role },
  advertiser_ids: splitIds(row.advertiser_id),
  publisher_ids: splitIds(row.publisher_id),
  name: row.name,
  created_at: new Date(Number(row.created_at)).toISOString(),
  expires_at: iso(row.expires_at),
  revoked_at: iso(row.revoked_at),
  last_used_at: iso(row.last_used_at),
  replaced_by: row.replaced_by || null,
  state: stateOf(row, now),
})

export interface KeyListing {
  /** Id of the last key of the page before; empty: from the start. */
  readonly after: string
  readonly limit: number
  /** Revoked and expired ones, too. */
  readonly ended: boolean
}

/** Keys in the order of their ids. */
export async function listKeys(
  catalogue: Queryable,
  now: number,
  { after, limit, ended }: KeyListing,
): Promise<KeyRecord[]> {
  const alive = ended ? '' : 'AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)'
  const rows = await catalogue.query<Row>(
    `SELECT ${columns} FROM api_keys WHERE key_id > $1 ${alive} ORDER BY key_id LIMIT $2`,
    ended ? [after, limit] : [after, limit, now],
  )
  return rows.map((row) => describe(row, now))
}

/** @throws ClickledgerError `not-found` */
async function rowOf(tx: Queryable, keyId: string): Promise<Row> {
  const [row] = await tx.query<Row>(
    `SELECT ${columns} FROM api_keys WHERE key_id = $1 AND key_id <> ''`,
    [keyId],
  )
  if (!row) throw new ClickledgerError('not-found', `there is no key ${keyId}`)
  return row
}

/**
 * Makes a key that takes over from another: same role, tenants, name and length of life. The old one
 * ends after the grace period, or earlier if it would have. Inside a transaction: of two who rotate the
 * same key one is refused.
 * @throws ClickledgerError `not-found`, `key-state`
 */
export async function rotateKey(
  tx: Queryable,
  now: number,
  { keyId, graceMs }: { readonly keyId: string; readonly graceMs: number },
): Promise<{ readonly key: string; readonly made: KeyRecord; readonly old: KeyRecord }> {
  const row = await rowOf(tx, keyId)
  const state = stateOf(row, now)
  if (state !== 'active') {
    throw new ClickledgerError('key-state', `the key is ${state}: make a new one`)
  }
  if (row.replaced_by !== '') {
    throw new ClickledgerError(
      'key-state',
      `the key was rotated already: rotate or revoke ${row.replaced_by}, which replaced it`,
    )
  }
  const lifeMs =
    row.expires_at === null ? undefined : Number(row.expires_at) - Number(row.created_at)
  const { key, keyId: newId } = await makeApiKey(tx, now, {
    ...{ role: row.role, name: row.name },
    advertiserIds: splitIds(row.advertiser_id),
    publisherIds: splitIds(row.publisher_id),
    ...(lifeMs === undefined ? {} : { expiresAt: now + lifeMs }),
  })
  const endsAt = Math.min(now + graceMs, Number(row.expires_at ?? Number.POSITIVE_INFINITY))
  await tx.query('UPDATE api_keys SET expires_at = $1, replaced_by = $2 WHERE key_id = $3', [
    ...[endsAt, newId, keyId],
  ])
  const [made, old] = [await rowOf(tx, newId), await rowOf(tx, keyId)]
  return { key, made: describe(made, now), old: describe(old, now) }
}

/** Ends a key; one that has ended stays as it is. @throws ClickledgerError `not-found` */
export async function revokeKey(tx: Queryable, now: number, keyId: string): Promise<KeyRecord> {
  await tx.query(
    "UPDATE api_keys SET revoked_at = $1 WHERE key_id = $2 AND key_id <> '' AND revoked_at IS NULL",
    [now, keyId],
  )
  return describe(await rowOf(tx, keyId), now)
}
