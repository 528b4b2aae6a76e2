// The embedded store's own realtime ingestion: reads clicks.judged from the offsets it has
// applied, and applies what it reads, exactly once.
import type { DuckDBConnection } from '@duckdb/node-api'
import { topics } from '#schemas/topics.ts'
import { isDiskFull } from '../disk-full.ts'
import type { EventLog, LogReader, LogRecord } from '../event-log/port.ts'
import { backoffMs, pause } from '../wait.ts'
import { appliedOffsets, applyJudged } from './duckdb-views.ts'

const maxRecords = 20_000
/** Between rounds that leave nothing waiting: many small transactions cost far more than a few. */
const betweenMs = 50
const busyRecords = 2_000
/** So often partitions are counted: some may be added. */
const countEveryMs = 1_000
/** Failures in a row after which ingestion gives up; a full disk is waited for. */
const attemptsMax = 8

export interface TailParts {
  readonly log: EventLog
  readonly connection: DuckDBConnection
  readonly scratch: string
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
  const { log, connection, scratch, retentionMs } = parts
  const topic = topics.judged.name
  let partitions = 0
  let countedAt = 0
  let applied: number[] = []
  let readers: LogReader[] = []
  const open = async () => {
    partitions = (await log.endOffsets(topic)).length
    for (const reader of readers) await reader.close()
    // What the store holds is the truth, also after a failure of unknown outcome.
    const known = await appliedOffsets(connection)
    // A store that begins anew begins with what the log still holds.
    applied = await Promise.all(
      Array.from({ length: partitions }, async (_, p) => known.get(p) ?? log.offsetAt(topic, p, 0)),
    )
    readers = await Promise.all(applied.map((from, p) => log.reader(topic, p, from)))
  }
  await open()
  const stopping = new AbortController()

  /** @returns how many records were applied */
  const round = async (): Promise<number> => {
    const records: LogRecord[] = []
    const next = new Map<number, number>()
    for (const [partition, reader] of readers.entries()) {
      const some = await reader.read(maxRecords / partitions, 0)
      // A position also moves without records: past the markers that end transactions.
      if (reader.position === applied[partition]) continue
      records.push(...some)
      next.set(partition, reader.position)
    }
    if (records.length > 0) {
      await applyJudged(connection, scratch, { records, next, retentionMs })
    }
    applied = applied.map((offset, partition) => next.get(partition) ?? offset)
    return records.length
  }

  const hasMorePartitions = async (): Promise<boolean> => {
    if (performance.now() - countedAt < countEveryMs) return false
    countedAt = performance.now()
    return (await log.endOffsets(topic)).length > partitions
  }

  const run = async () => {
    let failures = 0
    while (!stopping.signal.aborted) {
      try {
        if (failures > 0 || (await hasMorePartitions())) await open()
        const count = await round()
        failures = 0
        if (count < busyRecords) await pause(betweenMs, stopping.signal)
      } catch (error) {
        if (++failures >= attemptsMax && !isDiskFull(error)) throw error
        await pause(backoffMs(failures), stopping.signal)
      }
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
