// Bounded memory of the streaming interpreter: for each key (a 64-bit fingerprint) the last n event
// times, in typed arrays. Two generations: when the current one is full or has lasted a whole
// span, the older one is dropped. So a time is remembered for at least one span, unless the table
// fills first, and memory never grows past the limit.

const initialSlots = 1_024
const maxLoad = 0.6

/** One generation: open addressing, linear probing, grown by doubling up to the limit. */
class Generation {
  size = 0
  private readonly times: number
  private slots = 0
  private mask = 0
  private low!: Uint32Array
  private high!: Uint32Array
  private values!: Float64Array

  constructor(timesPerKey: number, slots: number) {
    this.times = timesPerKey
    this.allocate(slots)
  }

  private allocate(slots: number): void {
    this.slots = slots
    this.mask = slots - 1
    this.low = new Uint32Array(slots)
    this.high = new Uint32Array(slots)
    this.values = new Float64Array(slots * this.times).fill(Number.NEGATIVE_INFINITY)
  }

  get capacity(): number {
    return Math.floor(this.slots * maxLoad)
  }

  /** Index of the key's slot, or of the empty slot where it belongs. */
  private slotOf(low: number, high: number): number {
    let slot = (low ^ Math.imul(high, 0x9e3779b1)) & this.mask
    while (this.high[slot] !== 0 && (this.low[slot] !== low || this.high[slot] !== high)) {
      slot = (slot + 1) & this.mask
    }
    return slot
  }

  has(low: number, high: number): number {
    const slot = this.slotOf(low, high)
    return this.high[slot] === 0 ? -1 : slot
  }

  /** Number of remembered times of the slot within (time - window, time + window). */
  countNear(slot: number, time: number, windowMs: number): number {
    let count = 0
    const base = slot * this.times
    for (let i = base; i < base + this.times; i++) {
      if (Math.abs((this.values[i] as number) - time) < windowMs) count++
    }
    return count
  }

  /** Remembers a time: the n greatest are kept. */
  add(low: number, high: number, time: number): void {
    let slot = this.slotOf(low, high)
    if (this.high[slot] === 0) {
      if (this.size >= this.capacity) {
        this.grow()
        slot = this.slotOf(low, high)
      }
      this.low[slot] = low
      this.high[slot] = high
      this.size++
    }
    const base = slot * this.times
    let least = base
    for (let i = base + 1; i < base + this.times; i++) {
      if ((this.values[i] as number) < (this.values[least] as number)) least = i
    }
    if (time > (this.values[least] as number)) this.values[least] = time
  }

  private grow(): void {
    const { low, high, values, slots } = this
    this.allocate(slots * 2)
    for (let old = 0; old < slots; old++) {
      if (high[old] === 0) continue
      const slot = this.slotOf(low[old] as number, high[old] as number)
      this.low[slot] = low[old] as number
      this.high[slot] = high[old] as number
      this.values.set(values.subarray(old * this.times, (old + 1) * this.times), slot * this.times)
    }
  }

  clear(): void {
    this.size = 0
    this.high.fill(0)
    this.values.fill(Number.NEGATIVE_INFINITY)
  }
}

export interface RepeatTableLimits {
  /** Event times in one generation, at most; a key takes `after` of them. */
  readonly timesMax: number
  /** A generation lasts this long (in stream time) unless it fills first. */
  readonly spanMs: number
}

/** Remembers the last `after` times of each key and tells whether a click repeats. */
export class RepeatTable {
  /** Generations dropped because they were full, not because they were old. */
  fullRotations = 0
  private readonly after: number
  private readonly windowMs: number
  private readonly limits: RepeatTableLimits
  private readonly keysMax: number
  private current: Generation
  private previous: Generation
  private startedAt = Number.NEGATIVE_INFINITY

  constructor(after: number, windowMs: number, limits: RepeatTableLimits) {
    this.after = after
    this.windowMs = windowMs
    this.limits = limits
    this.keysMax = Math.max(16, Math.floor(limits.timesMax / after))
    this.current = new Generation(after, initialSlots)
    this.previous = new Generation(after, initialSlots)
  }

  /** Keys held now. */
  get size(): number {
    return this.current.size + this.previous.size
  }

  /** Moves stream time forward; old generations are dropped here. */
  advance(streamTime: number): void {
    if (this.startedAt === Number.NEGATIVE_INFINITY) this.startedAt = streamTime
    if (streamTime - this.startedAt >= this.limits.spanMs) this.rotate(streamTime)
  }

  private rotate(streamTime: number): void {
    const dropped = this.previous
    this.previous = this.current
    dropped.clear()
    this.current = dropped
    // Two spans without a click: nothing in either generation can matter any more.
    if (streamTime - this.startedAt >= 2 * this.limits.spanMs) this.previous.clear()
    this.startedAt = streamTime
  }

  /** True if at least `after` remembered clicks of this key are less than the window away. */
  isRepeat(low: number, high: number, time: number): boolean {
    let count = 0
    const slot = this.current.has(low, high)
    if (slot >= 0) count = this.current.countNear(slot, time, this.windowMs)
    if (count >= this.after) return true
    const older = this.previous.has(low, high)
    if (older >= 0) count += this.previous.countNear(older, time, this.windowMs)
    return count >= this.after
  }

  /** Remembers a click of this key. */
  add(low: number, high: number, time: number): void {
    if (this.current.size >= this.keysMax && this.current.has(low, high) < 0) {
      this.fullRotations++
      this.rotate(this.startedAt)
    }
    this.current.add(low, high, time)
  }
}
