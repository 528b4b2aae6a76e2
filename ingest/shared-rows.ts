// Rows of the catalogue between nodes: asked for in the shared cache first, put there by whoever had
// to load. The cache is never trusted: what it holds decides where a browser is sent and who is
// billed, so each row bears a seal that only nodes of this installation can make, and its time.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Lookup, SharedCache } from '#platform/shared-cache/port.ts'
import { knownMs, type Loaded } from './directory.ts'

/** Of the sealed form. Another one is a row that cannot be used. */
const version = 1
/** Clocks of two nodes may differ by this; a row that claims to be from later is not believed. */
const clockSkewMs = 1_000

export interface SharedRowCounts {
  /** Lookups in the cache. `invalid`: an answer that is no row of ours, or too old. */
  readonly lookups: Record<Lookup['kind'] | 'invalid', number>
  /** Rows put in the cache, and those that did not get there. */
  readonly stores: Record<'stored' | 'lost', number>
}

export const createSharedRowCounts = (): SharedRowCounts => ({
  lookups: { hit: 0, miss: 0, timeout: 0, away: 0, invalid: 0 },
  stores: { stored: 0, lost: 0 },
})

/**
 * Makes loading from the catalogue go through the cache.
 * @param kind - of the rows; part of their keys
 * @param isRow - whether an object is a row of this kind
 * @param load - reads one row from the catalogue
 */
export type ShareRows = <R extends object>(
  kind: string,
  isRow: (value: object) => value is R,
  load: (id: string) => Promise<R | undefined>,
) => (id: string) => Promise<Loaded<R>>

export interface SharedRowsOptions {
  readonly cache: SharedCache
  /** Key of the seals: the same on all nodes of an installation. */
  readonly sealKey: Uint8Array
  readonly counts: SharedRowCounts
  /** Milliseconds since 1970. */
  now(): number
}

export function createSharedRows({ cache, sealKey, counts, now }: SharedRowsOptions): ShareRows {
  const seal = (key: string, body: string): Buffer =>
    createHmac('sha256', sealKey).update(`${key}\n${body}`).digest()

  const store = async (key: string, row: object, readAt: number): Promise<void> => {
    const body = JSON.stringify({ version, readAt, row })
    const text = `${seal(key, body).toString('base64url')}.${body}`
    const isStored = await cache.set(key, text, readAt + knownMs - now())
    counts.stores[isStored ? 'stored' : 'lost']++
  }

  /** The row, where the text is one that a node of ours sealed for this key a short time ago. */
  const open = (key: string, text: string): Loaded<object> | undefined => {
    const dot = text.indexOf('.')
    const body = text.slice(dot + 1)
    const given = Buffer.from(text.slice(0, Math.max(0, dot)), 'base64url')
    const expected = seal(key, body)
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
    const entry = JSON.parse(body) // sealed by a node of ours: it is JSON
    if (entry.version !== version) return undefined
    const ageMs = now() - entry.readAt
    if (!(ageMs >= -clockSkewMs && ageMs < knownMs)) return undefined
    return { value: entry.row, ageMs: Math.max(0, ageMs) }
  }

  return (kind, isRow, load) => async (id) => {
    const key = `${kind}:${id}`
    const lookup = await cache.get(key)
    if (lookup.kind === 'hit') {
      const found = open(key, lookup.value)
      if (found?.value && isRow(found.value)) {
        counts.lookups.hit++
        return { value: found.value, ageMs: found.ageMs }
      }
    }
    counts.lookups[lookup.kind === 'hit' ? 'invalid' : lookup.kind]++
    const readAt = now() // before, not after: what changes while it is being read is newer
    const value = await load(id)
    if (value) void store(key, value, readAt)
    return { value, ageMs: now() - readAt }
  }
}
