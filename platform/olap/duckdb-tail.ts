// The embedded store's own realtime ingestion: reads clicks.judged from the offsets it has
// applied, and applies what it reads, exactly once.
import type { DuckDBConnection } from '@duckdb/node-api'
import { topics } from '#schemas/topics.ts'
import type { EventLog, LogReader, LogRecord } from '../event-log/port.ts'
import { pause } from '../wait.ts'
import { appliedOffsets, applyJudged } from './duckdb-views.ts'

const maxRecords = 20_000
/** Between rounds that leave nothing waiting: many small transactions cost far more than a few. */
const betweenMs = 50
const busyRecords = 2_000

export interface TailParts {
  readonly log: EventLog
  readonly connection: DuckDBConnection
  readonly scratch: string
  readonly now: () => number
  readonly retentionMs: number
}

export interface Tail {
  readonly applied: readonly number[]
  /** Rejected when ingestion cannot go on. */
  readonly done: Promise<void>
  close(): Promise<void>
}

/** Starts ingesting clicks.judged into the speed view. */
export async function startTail(parts: TailParts): Promise<Tail> {
  const { log, connection, scratch, now, retentionMs } = parts
  const topic = topics.judged.name
  const partitions = (await log.endOffsets(topic)).length
  let applied = await appliedOffsets(connection, partitions)
  const readers: LogReader[] = []
  for (const [partition, from] of applied.entries()) {
    readers.push(await log.reader(topic, partition, from))
  }
  const stopping = new AbortController()

  /** @returns how many records were applied */
  const round = async (): Promise<number> => {
    const records: LogRecord[] = []
    const next = new Map<number, number>()
    for (const [partition, reader] of readers.entries()) {
      const some = await reader.read(maxRecords / partitions, 0)
      if (some.length === 0) continue
      records.push(...some)
      next.set(partition, reader.position)
    }
    if (records.length === 0) return 0
    await applyJudged(connection, scratch, { records, next, oldest: now() - retentionMs })
    applied = applied.map((offset, partition) => next.get(partition) ?? offset)
    return records.length
  }

  const run = async () => {
    while (!stopping.signal.aborted) {
      if ((await round()) < busyRecords) await pause(betweenMs, stopping.signal)
    }
  }
  const done = run()
  done.catch(() => {}) // seen by the owner on `done`
  return {
    get applied() {
      return applied
    },
    done,
    async close() {
      stopping.abort()
      await done.catch(() => {})
      for (const reader of readers) await reader.close()
    },
  }
}
