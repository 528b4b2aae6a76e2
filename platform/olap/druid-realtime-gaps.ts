// Two things that Druid's report of its Kafka tasks does not say: whether an offset that they stand
// still at is a record or the marker of a transaction, and that nobody reads a partition.
import type { LogReader } from '../event-log/port.ts'
import type { TaskState } from './druid-proofs.ts'

/** The supervisor finds new partitions by itself, and its next tasks may just be starting. */
const unreadMs = 20_000
/** How long a reader may wait for what lies between the applied offset and the end. */
const peekWaitMs = 500

type OpenReader = (partition: number, from: number) => Promise<LogReader>

/**
 * Partitions that were added: a Kafka supervisor gives them to its next tasks only, which may be an
 * hour away. Where tasks run and one of the partitions is nobody's for a while, they are restarted.
 */
export function createUnreadWatch(restart: () => Promise<void>) {
  let since: number | undefined
  let restarting: Promise<void> = Promise.resolve()
  return {
    look(partitions: number, tasks: readonly TaskState[]): void {
      const read = new Set(tasks.flatMap(({ start }) => Object.keys(start)))
      const isUnread = tasks.length > 0 && read.size > 0 && read.size < partitions
      if (!isUnread) since = undefined
      else since ??= performance.now()
      if (since === undefined || performance.now() - since < unreadMs) return
      since = undefined // after the restart it begins anew, and so it does where that failed
      restarting = restart().catch(() => {})
    },
    close: () => restarting,
  }
}

/**
 * A transaction leaves a marker behind its records, which is an offset but nothing to apply. Where
 * the speed view stands still short of the end, one look into the log tells markers from records.
 */
export function createPeeks(open: OpenReader) {
  const last: { applied: number; end: number; past: number }[] = []
  const running = new Map<number, Promise<void>>()

  const look = async (partition: number, applied: number, end: number): Promise<void> => {
    const reader = await open(partition, applied)
    try {
      const [record] = await reader.read(1, peekWaitMs)
      const past = record ? record.offset : reader.position
      last[partition] = { applied, end, past: Math.max(applied, Math.min(past, end)) }
    } finally {
      await reader.close()
    }
  }

  return {
    /** The offset past the markers, as far as known; looks if nobody has looked there yet. */
    past(partition: number, applied: number, end: number): number {
      if (applied >= end) return applied
      const known = last[partition]
      if (known?.applied === applied && known.end === end) return known.past
      // One that moves on needs no look: only who stands still is looked at, in the background.
      if (known?.applied === applied && !running.has(partition)) {
        const looking = look(partition, applied, end)
          .catch(() => {}) // the log is away: looked at again with the next question
          .finally(() => running.delete(partition))
        running.set(partition, looking)
      }
      if (known?.applied !== applied) last[partition] = { applied, end: -1, past: applied }
      return known?.applied === applied ? known.past : applied
    },
    async close(): Promise<void> {
      await Promise.all(running.values())
    },
  }
}
