// Writes that must not be left half-way because the catalogue is away for a moment: something outside
// it has been done already. Only for writes that may be repeated, since an answer may be lost.
import { ClickledgerError } from '#schemas/errors.ts'
import { backoffMs, pause } from '../wait.ts'

/** Longer than a fail-over or a restart of the server takes. */
const persistMs = 600_000

/**
 * Repeats `write` while the catalogue is unavailable, for ten minutes at most.
 * @param signal - ends the repeating: the last failure is thrown
 * @throws what `write` threw last
 */
export async function persist<T>(write: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const deadline = performance.now() + persistMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await write()
    } catch (error) {
      const isAway = error instanceof ClickledgerError && error.code === 'unavailable'
      if (!isAway || signal?.aborted || performance.now() > deadline) throw error
      await pause(backoffMs(attempt), signal)
    }
  }
}
