// One SQLite file of the embedded event log: batches, end offsets, group offsets. Everything here
// is synchronous and belongs in a thread that may wait for the disk.
import { partitionOf } from '#core/identity.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Topic } from '#schemas/topics.ts'
import { openSqlite } from '../sqlite.ts'
import type { LogRecord, NewRecord } from './port.ts'
import { decodeBatch, encodeBatch } from './record-batch.ts'

const busyTimeoutMs = 30_000
const batchRecordsMax = 2_000

const tables = `
  PRAGMA journal_size_limit = 67108864;
  CREATE TABLE IF NOT EXISTS topics (topic TEXT PRIMARY KEY, partitions INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS ends (
    topic TEXT, partition INTEGER, end_offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS batches (
    topic TEXT, partition INTEGER, base INTEGER, end_offset INTEGER NOT NULL,
    max_timestamp REAL NOT NULL, body BLOB NOT NULL);
  CREATE UNIQUE INDEX IF NOT EXISTS batches_by_base ON batches (topic, partition, base);
  CREATE TABLE IF NOT EXISTS group_offsets (
    group_id TEXT, topic TEXT, partition INTEGER, committed INTEGER NOT NULL,
    PRIMARY KEY (group_id, topic, partition)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS group_epochs (
    group_id TEXT, topic TEXT, epoch INTEGER NOT NULL, PRIMARY KEY (group_id, topic)
  ) WITHOUT ROWID;`

export interface GroupCommit {
  readonly group: string
  readonly topic: string
  readonly epoch: number
  /** Next offset of each partition that moved. */
  readonly offsets: ReadonlyMap<number, number>
}

interface BatchRow {
  base: number
  end_offset: number
  body: Uint8Array
}

/** Opens one file of the log. */
export async function openSqliteStore(path: string) {
  const db = await openSqlite(path, busyTimeoutMs)
  db.exec(tables)
  const insertBatch = db.prepare('INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)')
  const getEnd = db.prepare('SELECT end_offset FROM ends WHERE topic = ? AND partition = ?')
  const setEnd = db.prepare(
    `INSERT INTO ends VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET end_offset = excluded.end_offset`,
  )
  // The batch that holds an offset is the last one that begins at or before it.
  const batchesFrom = db.prepare(
    `SELECT base, end_offset, body FROM batches WHERE topic = ?1 AND partition = ?2 AND base >= (
       SELECT coalesce(max(base), 0) FROM batches WHERE topic = ?1 AND partition = ?2 AND base <= ?3)
     AND end_offset > ?3 ORDER BY base LIMIT ?4`,
  )
  const getPartitions = db.prepare('SELECT partitions FROM topics WHERE topic = ?')
  const getCommitted = db.prepare(
    'SELECT partition, committed FROM group_offsets WHERE group_id = ? AND topic = ?',
  )
  const setCommitted = db.prepare(
    `INSERT INTO group_offsets VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET committed = excluded.committed`,
  )
  const getEpoch = db.prepare('SELECT epoch FROM group_epochs WHERE group_id = ? AND topic = ?')
  const nextEpoch = db.prepare(
    `INSERT INTO group_epochs VALUES (?, ?, 1)
     ON CONFLICT DO UPDATE SET epoch = epoch + 1 RETURNING epoch`,
  )
  const searchTime = db.prepare(
    `SELECT base, end_offset, body FROM batches
     WHERE topic = ? AND partition = ? AND max_timestamp >= ? ORDER BY base LIMIT 1`,
  )
  const trim = db.prepare('DELETE FROM batches WHERE topic = ? AND max_timestamp < ?')

  const transact = <T>(work: () => T): T => {
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      // On a full disk SQLite has rolled back by itself; a second time would hide the cause.
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  const partitions = (topic: string): number => {
    const row = getPartitions.get(topic)
    if (!row) throw new ClickledgerError('not-found', `the event log has no topic "${topic}"`)
    return Number(row.partitions)
  }

  const endOf = (topic: string, partition: number): number =>
    Number(getEnd.get(topic, partition)?.end_offset ?? 0)

  const insert = (topic: string, records: readonly NewRecord[]): void => {
    const count = partitions(topic)
    const byPartition = new Map<number, NewRecord[]>()
    for (const record of records) {
      const partition = partitionOf(record.key, count)
      const list = byPartition.get(partition)
      if (list) list.push(record)
      else byPartition.set(partition, [record])
    }
    for (const [partition, list] of byPartition) {
      let end = endOf(topic, partition)
      for (let at = 0; at < list.length; at += batchRecordsMax) {
        const part = list.slice(at, at + batchRecordsMax)
        const latest = part.reduce((max, r) => Math.max(max, r.timestamp), 0)
        insertBatch.run(topic, partition, end, end + part.length, latest, encodeBatch(part))
        end += part.length
      }
      setEnd.run(topic, partition, end)
    }
  }

  return {
    partitions,
    ensureTopic({ name }: Topic, count: number): void {
      // Partitions are added, never taken away: they have records.
      db.prepare(
        `INSERT INTO topics VALUES (?, ?) ON CONFLICT (topic) DO UPDATE SET
           partitions = excluded.partitions WHERE excluded.partitions > topics.partitions`,
      ).run(name, count)
    },
    append(topic: string, records: readonly NewRecord[]): void {
      transact(() => insert(topic, records))
    },
    /** Outputs and offsets together, if the group's epoch is still this member's. */
    commit(commit: GroupCommit, outputs: ReadonlyMap<string, readonly NewRecord[]>): void {
      const { group, topic, epoch, offsets } = commit
      transact(() => {
        if (Number(getEpoch.get(group, topic)?.epoch) !== epoch) {
          throw new ClickledgerError('fenced', `a newer member of group "${group}" has taken over`)
        }
        for (const [output, records] of outputs) insert(output, records)
        for (const [partition, next] of offsets) setCommitted.run(group, topic, partition, next)
      })
    },
    join: (group: string, topic: string): number => Number(nextEpoch.get(group, topic)?.epoch),
    committed(group: string, topic: string, count: number): number[] {
      const offsets: number[] = new Array(count).fill(0)
      for (const row of getCommitted.all(group, topic)) {
        offsets[Number(row.partition)] = Number(row.committed)
      }
      return offsets
    },
    ends: (topic: string): number[] =>
      Array.from({ length: partitions(topic) }, (_, partition) => endOf(topic, partition)),
    /** Records from `position` on, out of at most `batches` stored batches. */
    read(topic: string, partition: number, position: number, batches: number): LogRecord[] {
      // The end first: what others append in between must not look like a gap.
      const end = endOf(topic, partition)
      const rows = batchesFrom.all(topic, partition, position, batches) as unknown as BatchRow[]
      const held = rows[0]?.base ?? end
      if (held > position) {
        throw new ClickledgerError(
          'archive-gap',
          `${topic} partition ${partition} no longer holds offsets ${position} to ${held - 1}: they are past retention`,
        )
      }
      return rows.flatMap((row) => decodeBatch(partition, row.base, row.body, position))
    },
    offsetAt(topic: string, partition: number, time: number): number {
      const row = searchTime.get(topic, partition, time) as unknown as BatchRow | undefined
      if (!row) return endOf(topic, partition)
      const records = decodeBatch(partition, row.base, row.body)
      return records.find((record) => record.timestamp >= time)?.offset ?? row.end_offset
    },
    trim(topic: string, before: number): void {
      trim.run(topic, before)
    },
    close: () => db.close(),
  }
}

export type SqliteStore = Awaited<ReturnType<typeof openSqliteStore>>
