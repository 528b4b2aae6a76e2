// Answers that serving processes share through the cache of ingest nodes. What lies there may be a
// stranger's: an answer is taken only under the seal of its own key, and never waited for longer than
// the cache's budget of milliseconds.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SharedCache } from '#platform/shared-cache/port.ts'

/** Bytes of an answer: the cache is for many small ones. */
const bytesMax = 256 * 1024
/** Raised when answers change their shape. */
const format = 1

export interface SharedAnswers {
  get<T>(id: string): Promise<T | undefined>
  /** Nobody waits for it. */
  set(id: string, value: unknown): void
}

export interface SharedAnswersOptions {
  readonly cache: SharedCache
  readonly sealKey: Buffer
  readonly ttlMs: number
}

export function createSharedAnswers({
  cache,
  sealKey,
  ttlMs,
}: SharedAnswersOptions): SharedAnswers {
  const keyOf = (id: string) => `answer:${format}:${id}`
  const sealOf = (id: string, body: string) =>
    createHmac('sha256', sealKey)
      .update(`${keyOf(id)}\n${body}`)
      .digest('base64url')

  const opened = <T>(id: string, text: string): T | undefined => {
    const at = text.indexOf('.')
    const [seal, body] = [Buffer.from(text.slice(0, at)), text.slice(at + 1)]
    const expected = Buffer.from(sealOf(id, body))
    if (seal.length !== expected.length || !timingSafeEqual(seal, expected)) return undefined
    return JSON.parse(body) as T
  }

  return {
    async get<T>(id: string) {
      if (!cache.isUp) return undefined
      const found = await cache.get(keyOf(id))
      return found.kind === 'hit' ? opened<T>(id, found.value) : undefined
    },
    set(id, value) {
      if (!cache.isUp) return
      const body = JSON.stringify(value)
      if (body.length <= bytesMax) void cache.set(keyOf(id), `${sealOf(id, body)}.${body}`, ttlMs)
    },
  }
}
