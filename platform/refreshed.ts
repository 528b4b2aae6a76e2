// A value that is read anew when it is old, once for however many ask. Between two ages the old one is
// given while the new one is being read, so that nobody waits for what changes seldom.

export interface RefreshedOptions {
  /** Given as it is for so long after it was read. */
  readonly freshMs: number
  /** Given for so long while it is read anew; beyond it whoever asks waits. */
  readonly givenMs: number
}

export interface Refreshed<T> {
  get(): Promise<T>
  /** A value whose reading began after this call. */
  anew(): Promise<T>
}

/** @param read - a failure goes to those who wait; the next who asks reads again */
export function createRefreshed<T>(
  read: () => Promise<T>,
  { freshMs, givenMs }: RefreshedOptions,
): Refreshed<T> {
  let last: { readonly value: T; readonly at: number } | undefined
  let running: Promise<T> | undefined

  const begin = (): Promise<T> => {
    const mine: Promise<T> = read()
      .then((value) => {
        last = { value, at: performance.now() }
        return value
      })
      .finally(() => {
        if (running === mine) running = undefined
      })
    running = mine
    return mine
  }

  return {
    async get() {
      const age = last ? performance.now() - last.at : Number.POSITIVE_INFINITY
      if (last && age < freshMs) return last.value
      const reading = running ?? begin()
      if (!last || age >= givenMs) return reading
      reading.catch(() => {}) // whoever asks when the value is too old is told
      return last.value
    },
    async anew() {
      // What is under way may have begun too early.
      const before = running
      if (before) await before.catch(() => {})
      return running && running !== before ? running : begin()
    },
  }
}
