// Rebuilds a partition's state by replaying the last window of the log before its committed offset.

import type { EventLog } from '#platform/event-log/port.ts'
import { topics } from '#schemas/topics.ts'
import type { PartitionJudge } from './judge-partition.ts'

const readRecords = 2_000
const readWaitMs = 1_000

/**
 * @param committed - offset of the next record to judge
 * @param historyMs - how far back clicks can still matter
 */
export async function restoreState(
  log: EventLog,
  judge: PartitionJudge,
  partition: number,
  committed: number,
  historyMs: number,
): Promise<void> {
  if (committed === 0) return
  const topic = topics.raw.name
  const last = await log.reader(topic, partition, committed - 1)
  const [newest] = await last.read(1, readWaitMs)
  await last.close()
  if (!newest) return
  const from = await log.offsetAt(topic, partition, newest.timestamp - historyMs)
  const reader = await log.reader(topic, partition, Math.min(from, committed - 1))
  try {
    while (reader.position < committed) {
      const records = await reader.read(
        Math.min(readRecords, committed - reader.position),
        readWaitMs,
      )
      judge.remember(records)
    }
  } finally {
    await reader.close()
  }
}
