// What writer (main thread) and sender (its own thread) of the write-ahead log tell each other, in
// shared memory. Each word has one writer. A position is one word, so that segment and offset are
// never read apart.

/** A place in the log: bytes before `offset` of `segment`, and all earlier segments. */
export interface Position {
  readonly segment: number
  readonly offset: number
}

/** Offsets stay below 4 GiB: the writer limits a segment's size to a quarter of that. */
const offsetBits = 32n
const offsetMask = (1n << offsetBits) - 1n

const pack = ({ segment, offset }: Position): bigint =>
  (BigInt(segment) << offsetBits) | BigInt(offset)

const unpack = (word: bigint): Position => ({
  segment: Number(word >> offsetBits),
  offset: Number(word & offsetMask),
})

export const samePosition = (a: Position, b: Position): boolean =>
  a.segment === b.segment && a.offset === b.offset

/** Whether everything before `b` is before `a` too. */
export const isAtLeast = (a: Position, b: Position): boolean =>
  a.segment > b.segment || (a.segment === b.segment && a.offset >= b.offset)

const words = {
  durable: 0,
  shipped: 1,
  shippedRecords: 2,
  shippedThrough: 3,
  backlogRecords: 4,
  failures: 5,
  scanned: 6,
  clockOffset: 7,
  failuresTotal: 8,
  lostBytes: 9,
} as const

export interface WalControl {
  readonly shared: SharedArrayBuffer
  /** Everything before this is on disk. The sender reads no further. Set by the writer. */
  durable: Position
  /** Everything before this is in the event log. Set by the sender. */
  shipped: Position
  /** Records shipped since the start. Set by the sender. */
  shippedRecords: number
  /** Records that an earlier process had left, known once `scanned`. Set by the sender. */
  backlogRecords: number
  /** No unshipped click was received before this (ms). Set by the sender. */
  shippedThrough: number
  /** Attempts that failed since the event log last acknowledged. Set by the sender. */
  failures: number
  /** Attempts that failed since the start. Set by the sender. */
  failuresTotal: number
  /** Bytes of segments that could not be read. Set by the sender. */
  lostBytes: number
  /** The sender knows what an earlier process left. */
  scanned: boolean
  /** The layer's clock minus the system's (ms). Set by the main thread. */
  clockOffset: number
  /** Waits until `durable` is not `seen` any more, at most `ms`. */
  durableMoved(seen: Position, ms: number): Promise<void>
}

/** A view of the shared words; makes them where none are given. */
export function walControl(
  shared = new SharedArrayBuffer(Object.keys(words).length * 8),
): WalControl {
  const view = new BigInt64Array(shared)
  const get = (word: number): number => Number(Atomics.load(view, word))
  const set = (word: number, value: number): void => {
    Atomics.store(view, word, BigInt(value))
  }
  return {
    shared,
    get durable() {
      return unpack(Atomics.load(view, words.durable))
    },
    set durable(position) {
      Atomics.store(view, words.durable, pack(position))
      Atomics.notify(view, words.durable)
    },
    get shipped() {
      return unpack(Atomics.load(view, words.shipped))
    },
    set shipped(position) {
      Atomics.store(view, words.shipped, pack(position))
    },
    get shippedRecords() {
      return get(words.shippedRecords)
    },
    set shippedRecords(count) {
      set(words.shippedRecords, count)
    },
    get backlogRecords() {
      return get(words.backlogRecords)
    },
    set backlogRecords(count) {
      set(words.backlogRecords, count)
    },
    get shippedThrough() {
      return get(words.shippedThrough)
    },
    set shippedThrough(time) {
      set(words.shippedThrough, time)
    },
    get failures() {
      return get(words.failures)
    },
    set failures(count) {
      set(words.failures, count)
    },
    get failuresTotal() {
      return get(words.failuresTotal)
    },
    set failuresTotal(count) {
      set(words.failuresTotal, count)
    },
    get lostBytes() {
      return get(words.lostBytes)
    },
    set lostBytes(count) {
      set(words.lostBytes, count)
    },
    get scanned() {
      return get(words.scanned) === 1
    },
    set scanned(known) {
      set(words.scanned, known ? 1 : 0)
    },
    get clockOffset() {
      return get(words.clockOffset)
    },
    set clockOffset(ms) {
      set(words.clockOffset, ms)
    },
    async durableMoved(seen, ms) {
      const waiting = Atomics.waitAsync(view, words.durable, pack(seen), ms)
      if (!waiting.async) return
      const alive = setInterval(() => {}, ms) // the wait alone does not keep an event loop running
      await waiting.value
      clearInterval(alive)
    },
  }
}
