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
  /** The only advertisers that may be seen; empty: all. */
  readonly advertiserIds: readonly string[]
  readonly publisherIds: readonly string[]
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
const prefixCharsMax = 11

export const hashApiKey = (key: string): string => createHash('sha256').update(key).digest('hex')

/** The beginning of a key: enough to recognise it, never enough to use it, however short it is. */
export const prefixOfKey = (key: string): string =>
  key.slice(0, Math.min(prefixCharsMax, Math.floor(key.length / 3)))

/** Ids in a column of api_keys: no id contains a comma. */
export const joinIds = (ids: readonly string[]): string => ids.join(',')
export const splitIds = (text: string): string[] => (text === '' ? [] : text.split(','))

export interface NewApiKey {
  readonly role: Role
  readonly advertiserIds?: readonly string[]
  readonly publisherIds?: readonly string[]
  readonly name?: string
  /** Milliseconds. */
  readonly expiresAt?: number
  /** Use this key instead of a made-up one. */
  readonly key?: string
}

/** Makes a key. @returns its id, and the key itself for the only time */
export async function makeApiKey(
  catalogue: Queryable,
  now: number,
  { role, advertiserIds = [], publisherIds = [], name = '', expiresAt, key }: NewApiKey,
): Promise<{ readonly key: string; readonly keyId: string }> {
  const made = key ?? `clk_${randomBytes(24).toString('base64url')}`
  const keyId = `key_${randomBytes(8).toString('hex')}`
  await catalogue.query(
    `INSERT INTO api_keys (key_hash, key_id, prefix, role, advertiser_id, publisher_id, name, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (key_hash) DO NOTHING`,
    [
      ...[hashApiKey(made), keyId, prefixOfKey(made), role],
      ...[joinIds(advertiserIds), joinIds(publisherIds), name, now, expiresAt ?? null],
    ],
  )
  return { key: made, keyId }
}

/** Makes a key. @returns the key itself, for the only time */
export async function createApiKey(
  catalogue: Queryable,
  now: number,
  asked: NewApiKey,
): Promise<string> {
  return (await makeApiKey(catalogue, now, asked)).key
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
  advertiserIds: splitIds(advertiser_id),
  publisherIds: splitIds(publisher_id),
})

export interface KeyLookupOptions {
  /** Told the hash of each key that was let in. */
  readonly onUse?: (hash: string) => void
  /** Milliseconds that only go forward. */
  readonly elapsed?: () => number
}

/**
 * Looks keys up, with a short memory (10 s) for keys known and unknown; a longer one (10 min) for as
 * long as the catalogue does not answer. So a revocation is in force everywhere after 10 s.
 * @returns a lookup, which throws what the catalogue threw where it remembers nothing; `forget` empties
 *   the memory, for the process that revokes
 */
export function createKeyLookup(
  catalogue: Queryable,
  now: () => number,
  { onUse, elapsed = () => performance.now() }: KeyLookupOptions = {},
) {
  const known = new LRUCache<string, KnownKey>({ max: cacheMax })

  const read = async (hash: string): Promise<KnownKey> => {
    const before = known.get(hash)
    const at = elapsed()
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
      before.freshUntil = elapsed() + retryMs
      return before
    }
  }

  const lookup = async (key: string): Promise<Principal | undefined> => {
    const hash = hashApiKey(key)
    const { row } = await read(hash)
    const isGood = row && (row.expires_at === null || Number(row.expires_at) > now())
    if (!isGood) return undefined
    onUse?.(hash)
    return principalOf(row)
  }
  return Object.assign(lookup, { forget: () => known.clear() })
}

export type KeyLookup = (key: string) => Promise<Principal | undefined>

/** The key of an `Authorization: Bearer ..` header; undefined where there is none. */
export function bearerOf(header: string | undefined): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(header ?? '')
  return match?.[1]
}
