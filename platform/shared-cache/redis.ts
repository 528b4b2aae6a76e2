// The shared cache in Redis: one MGET for the lookups of a turn, 5 ms for its answer. One server (or
// a primary behind one address); not a Redis Cluster, whose MGET does not cross slots.
import { createBatches } from './batches.ts'
import type { SharedCache } from './port.ts'
import { openRedisConnection } from './redis-connection.ts'

const limits = { budgetMs: 5, keysMax: 512, questionsMax: 16 }

export interface RedisCacheOptions {
  readonly url: string
  /** Installations that share a server; empty: none. */
  readonly namespace: string
  /** Told when the server comes and goes. */
  onChange(isUp: boolean, reason: string): void
}

/**
 * Opens the cache. Where no server answers it is empty until one does.
 * @throws ClickledgerError `invalid-settings` where the URL is none, or the server refuses it
 */
export async function openRedisCache({
  url,
  namespace,
  onChange,
}: RedisCacheOptions): Promise<SharedCache> {
  const prefix = namespace === '' ? '' : `${namespace}:`
  const connection = await openRedisConnection({
    url,
    probe: (client) => client.mGet([`${prefix}ad:`]),
    onChange,
  })
  const get = createBatches(
    (keys) => connection.call((client) => client.mGet(keys.map((key) => prefix + key))),
    limits,
  )
  return {
    get isUp() {
      return connection.isUp
    },
    get: async (key) => (connection.isUp ? get(key) : { kind: 'away' }),
    set: async (key, value, ttlMs) => {
      if (ttlMs < 1) return false
      const expiration = { type: 'PX', value: Math.floor(ttlMs) } as const
      try {
        await connection.call((client) => client.set(prefix + key, value, { expiration }))
        return true
      } catch {
        return false // away or full: the next one who asks loads it again
      }
    },
    close: () => connection.close(),
  }
}
