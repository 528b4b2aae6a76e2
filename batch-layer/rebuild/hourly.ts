// Work that is due once an hour and may take long: a piece at a time, or what can be sealed meanwhile
// would wait for all of it.

const everyMs = 3_600_000

/**
 * `work` as a step that is taken again and again and mostly does nothing.
 * @param work - does one piece of it. @returns whether there is more to do
 * @param now - ms
 * @returns a step: does a piece when an hour has passed since the last beginning, or the piece before said
 *   that there is more. Work that fails is due again in an hour.
 */
export function hourly(work: () => Promise<boolean>, now: () => number): () => Promise<void> {
  let dueAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (now() < dueAt) return
    dueAt = now() + everyMs
    if (await work()) dueAt = Number.NEGATIVE_INFINITY
  }
}
