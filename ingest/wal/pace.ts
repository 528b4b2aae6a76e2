// When the next group is committed. A commit costs the same for one click as for a hundred, and on a
// fast disk groups would stay small: so under load a group waits until it is large enough, or until
// the last commit began a moment ago. A click that comes alone waits for nothing.

const recordsEnough = 64
const betweenCommitsMs = 2

export interface PaceOptions {
  /** Records that wait for a commit. */
  waiting(): number
  /** Commits what is waiting; never rejects. */
  commit(): Promise<void>
}

export function createPace({ waiting, commit }: PaceOptions) {
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isDue = false
  let startedAt = Number.NEGATIVE_INFINITY

  const run = async (): Promise<void> => {
    startedAt = performance.now()
    await commit()
    running = undefined
    if (waiting() > 0) added()
  }
  const start = (): void => {
    clearTimeout(timer)
    timer = undefined
    isDue = false
    if (!running && waiting() > 0) running = run()
  }
  const added = (): void => {
    if (running || isDue) return
    if (waiting() < recordsEnough) {
      if (timer) return
      const waitMs = startedAt + betweenCommitsMs - performance.now()
      if (waitMs > 0) {
        timer = setTimeout(start, waitMs)
        return
      }
    }
    // Not at once: the requests that this turn of the event loop brings belong to one group.
    isDue = true
    setImmediate(start)
  }

  return {
    /** To be called after each record. */
    added,
    /** Commits everything that is waiting. */
    async finish(): Promise<void> {
      while (running || waiting() > 0) {
        start()
        await running
      }
      clearTimeout(timer)
    },
  }
}
