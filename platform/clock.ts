// Time as a port. Threads share one clock: an offset in shared memory lets a test move all layers
// through time together; in production it stays 0.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
}

export interface SharedClock extends Clock {
  /** Hand this to other threads and attach with `attachClock`. */
  readonly shared: SharedArrayBuffer
  /** Moves time forward (ms), for every thread. */
  advance(ms: number): void
}

/** A clock whose offset threads share. @param offsetMs - start this far from system time */
export function createClock(offsetMs = 0): SharedClock {
  const shared = new SharedArrayBuffer(8)
  const offset = new BigInt64Array(shared)
  Atomics.store(offset, 0, BigInt(offsetMs))
  return {
    ...attachClock(shared),
    shared,
    advance(ms) {
      Atomics.add(offset, 0, BigInt(Math.round(ms)))
    },
  }
}

export function attachClock(shared: SharedArrayBuffer): Clock {
  const offset = new BigInt64Array(shared)
  return { now: () => Date.now() + Number(Atomics.load(offset, 0)) }
}
