// Rebuilds a partition's state by replaying the last window of the log before its committed offset.
// A state that misses some of it judges copies as new clicks: what cannot be read is an error.

import type { EventLog, LogRecord } from '#platform/event-log/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { topics } from '#schemas/topics.ts'
import type { PartitionJudge } from './judge-partition.ts'

const topic = topics.raw.name
const readRecords = 2_000
const readWaitMs = 1_000
/** Without a record for so long, the log is away. */
const silenceMs = 15_000

/**
 * @param committed - offset of the next record to judge
 * @param historyMs - how far back clicks can still matter
 */
export async function restoreState(
  log: EventLog,
  judge: Pick<PartitionJudge, 'remember'>,
  partition: number,
  committed: number,
  historyMs: number,
): Promise<void> {
  const newest = await newestBefore(log, partition, committed)
  if (!newest) return
  const from = await log.offsetAt(topic, partition, newest.timestamp - historyMs)
  const range = { partition, from: Math.min(from, newest.offset), end: committed }
  for await (const records of readRange(log, range)) judge.remember(records)
}

/** Not every offset has a record (transactions leave markers), so the search widens. */
async function newestBefore(
  log: EventLog,
  partition: number,
  end: number,
): Promise<LogRecord | undefined> {
  for (let back = 1; end > 0; back *= 32) {
    const from = Math.max(0, end - back)
    let newest: LogRecord | undefined
    for await (const records of readRange(log, { partition, from, end })) newest = records.at(-1)
    if (newest || from === 0) return newest
  }
  return undefined
}

interface Range {
  readonly partition: number
  readonly from: number
  readonly end: number // exclusive
}

/** Records of a range of offsets, as far as the log still holds them; never none at a time. */
async function* readRange(log: EventLog, range: Range): AsyncGenerator<LogRecord[]> {
  const { partition, from, end } = range
  const reader = await log.reader(topic, partition, from)
  try {
    let heardAt = performance.now()
    while (reader.position < end) {
      const before = reader.position
      const some = await reader.read(Math.min(readRecords, end - before), readWaitMs)
      const records = some.filter(({ offset }) => offset < end)
      if (records.length > 0) yield records
      if (reader.position > before) heardAt = performance.now()
      else if (performance.now() - heardAt > silenceMs) {
        throw new ClickledgerError(
          'unavailable',
          `${topic} partition ${partition} gives nothing from offset ${before}, though it was read to ${end} before`,
        )
      }
    }
  } finally {
    await reader.close()
  }
}
