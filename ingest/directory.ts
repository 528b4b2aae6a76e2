// A bounded memory of rows of the catalogue, known and unknown. While the catalogue is away, what
// is remembered goes on being served, however old: a user who clicked is redirected.
import { LRUCache } from 'lru-cache'
import { ClickledgerError } from '#schemas/errors.ts'

const entriesMax = 100_000
/** How long after it was read from the catalogue a row is served without asking again. */
export const knownMs = 30_000
/** Shorter: an ad that was just made should not stay unknown. */
const unknownMs = 5_000
const loadTimeoutMs = 2_000
const loadsMax = 1_000

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
      const { value, ageMs } = await withDeadline(load(id))
      entries.set(id, { value, freshUntil: now() - ageMs + (value ? knownMs : unknownMs) })
      return value
    } catch (error) {
      const stale = entries.get(id)
      if (stale) return stale.value
      throw new ClickledgerError('unavailable', 'the catalogue does not answer', error)
    } finally {
      loading.delete(id)
    }
  }

  return {
    peek(id) {
      const entry = entries.get(id)
      return entry && now() < entry.freshUntil ? entry.value : undefined
    },
    async get(id) {
      const entry = entries.get(id)
      if (entry && now() < entry.freshUntil) return entry.value
      let load = loading.get(id)
      if (!load) {
        if (loading.size >= loadsMax) throw new ClickledgerError('unavailable')
        load = reload(id)
        loading.set(id, load)
      }
      return load
    },
  }
}

async function withDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no answer in time')), loadTimeoutMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
