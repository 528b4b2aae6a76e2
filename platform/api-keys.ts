// API keys: shown once, kept as a hash. A key is random and long, so a plain SHA-256 is enough,
// and looking it up by its hash compares nothing secret byte by byte.
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Queryable } from './catalogue/port.ts'
import { within } from './wait.ts'

export const roles = ['advertiser', 'publisher', 'engineer', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Principal {
  readonly role: Role
  /** The only advertiser this key may see; empty: all. */
  readonly advertiserId: string
  readonly publisherId: string
  readonly name: string
  /** For recognition in logs and lists. */
  readonly prefix: string
}

const cacheMs = 10_000
const cacheMax = 10_000
/** While the catalogue is away nobody can revoke a key there: known ones stay good, not for ever. */
const awayMs = 600_000
/** So often it is asked again then, and so long it is waited for. */
const retryMs = 1_000
const answerMs = 2_000
const prefixChars = 11

export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex')

export interface NewApiKey {
  readonly role: Role
  readonly advertiserId?: string
  readonly publisherId?: string
  readonly name?: string
  readonly expiresAt?: number
  /** Use this key instead of a made-up one. */
  readonly key?: string
}

/** Makes a key. @returns the key itself, for the only time */
export async function createApiKey(
  catalogue: Queryable,
  now: number,
  { role, advertiserId = '', publisherId = '', name = '', expiresAt, key }: NewApiKey,
): Promise<string> {
  const made = key ?? `clk_${randomBytes(24).toString('base64url')}`
  await catalogue.query(
    `INSERT INTO api_keys (key_hash, prefix, role, advertiser_id, publisher_id, name, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (key_hash) DO NOTHING`,
    [
      hashApiKey(made),
      made.slice(0, prefixChars),
      role,
      advertiserId,
      publisherId,
      name,
      now,
      expiresAt ?? null,
    ],
  )
  return made
}

interface KeyRow {
  role: Role
  advertiser_id: string
  publisher_id: string
  name: string
  prefix: string
  expires_at: number | null
}

interface KnownKey {
  readonly row: KeyRow | undefined
  readonly readAt: number
  freshUntil: number
}

const principalOf = ({ role, advertiser_id, publisher_id, name, prefix }: KeyRow): Principal => ({
  ...{ role, name, prefix },
  advertiserId: advertiser_id,
  publisherId: publisher_id,
})

/**
 * Looks keys up, with a short memory (10 s) for keys known and unknown; a longer one (10 min) for as
 * long as the catalogue does not answer.
 * @returns a lookup, which throws what the catalogue threw where it remembers nothing
 */
export function createKeyLookup(catalogue: Queryable, now: () => number) {
  const known = new LRUCache<string, KnownKey>({ max: cacheMax })

  const read = async (hash: string): Promise<KnownKey> => {
    const before = known.get(hash)
    const at = performance.now()
    if (before && at < before.freshUntil) return before
    try {
      const asked = catalogue.query<KeyRow>(
        `SELECT role, advertiser_id, publisher_id, name, prefix, expires_at FROM api_keys
         WHERE key_hash = $1 AND revoked_at IS NULL`,
        [hash],
      )
      const [row] = await within(asked, answerMs)
      const entry = { row, readAt: at, freshUntil: at + cacheMs }
      known.set(hash, entry)
      return entry
    } catch (error) {
      if (!before || at - before.readAt > awayMs) throw error
      before.freshUntil = performance.now() + retryMs
      return before
    }
  }

  return async (key: string): Promise<Principal | undefined> => {
    const { row } = await read(hashApiKey(key))
    const isGood = row && (row.expires_at === null || Number(row.expires_at) > now())
    return isGood ? principalOf(row) : undefined
  }
}

/** The key of an `Authorization: Bearer ..` header; undefined where there is none. */
export function bearerOf(header: string | undefined): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header ?? '')
  return match?.[1]
}
