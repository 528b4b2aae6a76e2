// What this node holds and has done: the partitions that are open here, and the counts of those that
// were. Heartbeats and metrics read it.
import type { SpeedHeartbeat } from '#schemas/heartbeats.ts'
import { type Counts, noCounts, type PartitionJudge } from './judge-partition.ts'
import { createProgress } from './progress.ts'

export type SpeedState = Omit<SpeedHeartbeat, 'judgedEnds'>

export function createNodeState() {
  const progress = createProgress()
  const judges = new Map<number, PartitionJudge>()
  const retired = noCounts()
  let retiredRotations = 0
  return {
    open(partition: number, committed: number, judge: PartitionJudge): void {
      judges.set(partition, judge)
      progress.open(partition, committed)
    },
    update: progress.update,
    /** The partition is somebody else's now, or will be opened anew. */
    close(partition: number): void {
      const closed = judges.get(partition)
      if (!closed) return
      addCounts(retired, closed.counts)
      retiredRotations += closed.judge.fullRotations
      judges.delete(partition)
      progress.release(partition)
    },
    read(): SpeedState {
      const counts = { ...retired }
      let stateKeys = 0
      let stateFullRotations = retiredRotations
      for (const { judge, counts: own } of judges.values()) {
        addCounts(counts, own)
        stateKeys += judge.stateSize
        stateFullRotations += judge.fullRotations
      }
      const watermark = progress.watermark()
      return { watermark, partitions: progress.lags(), counts, stateKeys, stateFullRotations }
    },
  }
}

function addCounts(into: Counts, from: Counts): void {
  for (const name of Object.keys(into) as (keyof Counts)[]) into[name] += from[name]
}
