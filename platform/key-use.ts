// When keys were last used, to the minute: noted in memory, written many at a time and never while
// somebody waits. What a crash or an absent catalogue takes away is a minute of "last used".
import { places, type Queryable } from './catalogue/port.ts'

const writeEveryMs = 60_000
/** Keys that one writing can hold; more in a minute are not noted. */
const keysMax = 10_000
const keysPerStatement = 250

export interface KeyUse {
  note(hash: string): void
  /** Writes what was noted. @throws what the catalogue threw; then it is written the next time */
  write(): Promise<void>
  /** Writes for the last time. Never throws. */
  close(): Promise<void>
}

/** @param now - milliseconds */
export function createKeyUse(catalogue: Queryable, now: () => number): KeyUse {
  let used = new Set<string>()
  const note = (hash: string) => {
    if (used.size < keysMax) used.add(hash)
  }
  const write = async () => {
    const hashes = [...used]
    used = new Set()
    for (let i = 0; i < hashes.length; i += keysPerStatement) {
      const some = hashes.slice(i, i + keysPerStatement)
      try {
        await catalogue.query(
          `UPDATE api_keys SET last_used_at = $1
           WHERE (last_used_at IS NULL OR last_used_at < $1) AND key_hash IN (${places(some.length, 2)})`,
          [now(), ...some],
        )
      } catch (error) {
        hashes.slice(i).forEach(note)
        throw error
      }
    }
  }
  const timer = setInterval(() => void write().catch(() => {}), writeEveryMs)
  timer.unref()
  return {
    ...{ note, write },
    async close() {
      clearInterval(timer)
      await write().catch(() => {})
    },
  }
}
