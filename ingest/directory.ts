// A bounded memory of rows of the catalogue, known and unknown. While the catalogue is away, what
// is remembered goes on being served, however old: a user who clicked is redirected.
import { LRUCache } from 'lru-cache'
import { within } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'

const entriesMax = 100_000
/** How long after it was read from the catalogue a row is served without asking again. */
export const knownMs = 30_000
/** Shorter: an ad that was just made should not stay unknown. */
const unknownMs = 5_000
const loadTimeoutMs = 2_000
const loadsMax = 1_000
/** Where a row is remembered, but old, the fresh one is waited for so long. */
const staleWaitMs = 20
/** After a failure or a wait in vain, what is remembered counts as fresh for so long. */
const keptMs = 500

interface Entry<T> {
  readonly value: T | undefined
  readonly freshUntil: number
}

export interface Loaded<T> {
  /** Undefined where the catalogue has none. */
  readonly value: T | undefined
  /** Since it was read from the catalogue: another node may have done that. */
  readonly ageMs: number
}

export interface Directory<T> {
  /** The value if it is remembered and fresh, without waiting; `undefined` says nothing. */
  peek(id: string): T | undefined
  /**
   * The value; undefined where the catalogue has none.
   * @throws ClickledgerError `unavailable` where it is not remembered and cannot be loaded
   */
  get(id: string): Promise<T | undefined>
}

/** @param load - reads one row */
export function createDirectory<T extends object>(
  load: (id: string) => Promise<Loaded<T>>,
  now: () => number = () => performance.now(),
): Directory<T> {
  const entries = new LRUCache<string, Entry<T>>({ max: entriesMax })
  const loading = new Map<string, Promise<T | undefined>>()

  const reload = async (id: string): Promise<T | undefined> => {
    try {
      const { value, ageMs } = await within(load(id), loadTimeoutMs)
      entries.set(id, { value, freshUntil: now() - ageMs + (value ? knownMs : unknownMs) })
      return value
    } catch (error) {
      const stale = entries.get(id)
      if (stale) return keep(id, stale)
      throw new ClickledgerError('unavailable', 'the catalogue does not answer', error)
    } finally {
      loading.delete(id)
    }
  }

  /** Goes on with what is remembered; for a moment nobody waits for better. */
  const keep = (id: string, { value }: Entry<T>): T | undefined => {
    entries.set(id, { value, freshUntil: now() + keptMs })
    return value
  }

  const join = (id: string): Promise<T | undefined> | undefined => {
    const running = loading.get(id)
    if (running || loading.size >= loadsMax) return running
    const load = reload(id)
    loading.set(id, load)
    return load
  }

  return {
    peek(id) {
      const entry = entries.get(id)
      return entry && now() < entry.freshUntil ? entry.value : undefined
    },
    async get(id) {
      const entry = entries.get(id)
      if (entry && now() < entry.freshUntil) return entry.value
      const load = join(id)
      if (!entry) return load ?? Promise.reject(new ClickledgerError('unavailable'))
      if (!load) return entry.value
      // A catalogue that is away or slow must not hold up a user whose ad is remembered.
      return within(load, staleWaitMs).catch(() => keep(id, entry))
    },
  }
}
