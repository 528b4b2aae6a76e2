// A token bucket per address, in a bounded table. An address that was pushed out begins with a full
// bucket: the limit is a brake on single senders, not a defence against a million of them.
import { LRUCache } from 'lru-cache'

const addressesMax = 100_000

interface Bucket {
  tokens: number
  filledAt: number
}

/**
 * @param perSecond - requests a second, also the size of a burst; 0: no limit
 * @param now - milliseconds, monotonic
 */
export function createRateLimiter(perSecond: number, now: () => number = () => performance.now()) {
  const buckets = new LRUCache<string, Bucket>({ max: addressesMax })
  /** Takes a token. @returns false where there is none */
  return (address: string): boolean => {
    if (perSecond === 0) return true
    const at = now()
    let bucket = buckets.get(address)
    if (!bucket) {
      bucket = { tokens: perSecond, filledAt: at }
      buckets.set(address, bucket)
    }
    bucket.tokens = Math.min(perSecond, bucket.tokens + ((at - bucket.filledAt) * perSecond) / 1000)
    bucket.filledAt = at
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }
}
