// How far judging is: the watermark and the lag. The watermark says: every click received before
// it, and in the log by then, has been judged. It is about receipt, not about event time.
import type { SpeedPartition } from '#schemas/heartbeats.ts'

interface PartitionProgress {
  committed: number
  end: number
  watermark: number
}

export function createProgress() {
  const partitions = new Map<number, PartitionProgress>()
  return {
    /** A partition is being opened: until it reports, nothing is known about it. */
    open(partition: number, committed: number): void {
      const unknown = { end: committed, watermark: Number.NEGATIVE_INFINITY }
      partitions.set(partition, { committed, ...unknown })
    },
    /** A partition is somebody else's now. */
    release: (partition: number) => partitions.delete(partition),
    /**
     * @param readAt - when `end` was the partition's end offset
     * @param lastReceived - receipt of the last record judged; undefined: none yet
     */
    update(
      partition: number,
      state: { committed: number; end: number; readAt: number },
      lastReceived: number | undefined,
    ): void {
      const before = partitions.get(partition)?.watermark ?? Number.NEGATIVE_INFINITY
      const reached = state.committed >= state.end ? state.readAt : lastReceived
      const watermark = Math.max(before, reached ?? Number.NEGATIVE_INFINITY)
      partitions.set(partition, { committed: state.committed, end: state.end, watermark })
    },
    /** The least of the partitions that are open here; 0 until each has reported. */
    watermark(): number {
      const least = Math.min(...[...partitions.values()].map((p) => p.watermark))
      return Number.isFinite(least) ? least : 0
    },
    lags(): SpeedPartition[] {
      return [...partitions].map(([partition, { committed, end }]) => ({
        partition,
        committed,
        end,
      }))
    },
  }
}
