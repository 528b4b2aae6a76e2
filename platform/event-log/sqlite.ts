// The event log in SQLite files: clicks.raw in one, what is derived from it (with group offsets)
// in another, so that ingest and the speed layer never wait for each other's commits.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Topic, topics } from '#schemas/topics.ts'
import { pause } from '../wait.ts'
import type { EventLog, LogReader, LogRecord, NewRecord, ProcessSpec } from './port.ts'
import { startProcessor } from './sqlite-processor.ts'
import { openSqliteStore, type SqliteStore } from './sqlite-store.ts'

const pollMs = 5
const readBatches = 16
const trimEveryMs = 600_000

const byName = new Map<string, Topic>(Object.values(topics).map((topic) => [topic.name, topic]))

export interface SqliteEventLogOptions {
  readonly dir: string
  /** For retention; milliseconds since the epoch. */
  readonly now?: () => number
}

/** Opens the log; several threads and processes may have it open at once. */
export async function openSqliteEventLog(options: SqliteEventLogOptions): Promise<EventLog> {
  const { dir, now = Date.now } = options
  mkdirSync(dir, { recursive: true })
  const stores = new Map<Topic['store'], SqliteStore>()
  for (const name of ['raw', 'derived'] as const) {
    stores.set(name, await openSqliteStore(join(dir, `${name}.sqlite`)))
  }
  const known = new Map(byName)
  const storeOf = (topic: string): SqliteStore => {
    // Topics beyond the platform's own (tests) live with the derived ones.
    const store = stores.get(known.get(topic)?.store ?? 'derived')
    if (!store) throw new Error('a store is always open')
    return store
  }

  let trimmedAt = now()
  const trimIfDue = () => {
    if (now() - trimmedAt < trimEveryMs) return
    trimmedAt = now()
    for (const { name, retentionMs } of known.values()) {
      storeOf(name).trim(name, trimmedAt - retentionMs)
    }
  }

  const reader = async (topic: string, partition: number, from: number): Promise<LogReader> =>
    openReader(storeOf(topic), topic, partition, from)

  return {
    async ensureTopics(wanted, partitions) {
      for (const topic of wanted) {
        known.set(topic.name, topic)
        storeOf(topic.name).ensureTopic(topic, partitions)
      }
    },
    async append(topic: string, records: readonly NewRecord[]) {
      storeOf(topic).append(topic, records)
      trimIfDue()
    },
    reader,
    async process(spec: ProcessSpec) {
      const outputs = storeOf(topics.judged.name)
      return startProcessor({ spec, input: storeOf(spec.topic), outputs, reader })
    },
    endOffsets: async (topic) => storeOf(topic).ends(topic),
    committedOffsets: async (group, topic) =>
      storeOf(topics.judged.name).committed(group, topic, storeOf(topic).partitions(topic)),
    offsetAt: async (topic, partition, time) => storeOf(topic).offsetAt(topic, partition, time),
    async close() {
      for (const store of stores.values()) store.close()
    },
  }
}

function openReader(store: SqliteStore, topic: string, partition: number, from: number): LogReader {
  let position = from
  let buffered: LogRecord[] = []
  let closed = false
  const take = (maxRecords: number): LogRecord[] => {
    if (buffered.length === 0) {
      buffered = store.read(topic, partition, position, readBatches)
    }
    const records = buffered.slice(0, maxRecords)
    buffered = buffered.slice(maxRecords)
    const last = records[records.length - 1]
    if (last) position = last.offset + 1
    return records
  }
  return {
    async read(maxRecords, waitMs) {
      const deadline = Date.now() + waitMs
      for (;;) {
        const records = closed ? [] : take(maxRecords)
        if (records.length > 0 || closed || Date.now() >= deadline) return records
        await pause(Math.min(pollMs, waitMs))
      }
    },
    get position() {
      return position
    },
    async close() {
      closed = true
    },
  }
}
