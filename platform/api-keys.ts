// API keys: shown once, kept as a hash. A key is random and long, so a plain SHA-256 is enough,
// and looking it up by its hash compares nothing secret byte by byte.
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Queryable } from './catalogue/port.ts'

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
}

/** Looks keys up, with a short memory (10 s) for keys known and unknown. */
export function createKeyLookup(catalogue: Queryable, now: () => number) {
  const cache = new LRUCache<string, { principal: Principal | undefined }>({
    max: cacheMax,
    ttl: cacheMs,
  })
  return async (key: string): Promise<Principal | undefined> => {
    const hash = hashApiKey(key)
    const known = cache.get(hash)
    if (known) return known.principal
    const [row] = await catalogue.query<KeyRow>(
      `SELECT role, advertiser_id, publisher_id, name, prefix FROM api_keys
       WHERE key_hash = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`,
      [hash, now()],
    )
    const principal = row && {
      role: row.role,
      advertiserId: row.advertiser_id,
      publisherId: row.publisher_id,
      name: row.name,
      prefix: row.prefix,
    }
    cache.set(hash, { principal })
    return principal
  }
}

/** The key of an `Authorization: Bearer ..` header; undefined where there is none. */
export function bearerOf(header: string | undefined): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header ?? '')
  return match?.[1]
}
