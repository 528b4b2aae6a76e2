// Clicks that are in the log and not yet archived: the tail of each partition, behind the end of its
// manifest chain. Bounded: a tail that is too long is said to be so, never taken for "not there".
import { decodeRawClick } from '#schemas/avro.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ArchivedClick, JudgedClick } from '#schemas/fields.ts'
import type { ArchiveName } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import type { Queryable } from '../catalogue/port.ts'
import type { EventLog, LogRecord } from '../event-log/port.ts'

const recordsMax = 300_000
const recordsAtOnce = 2_000
const waitMs = 250
const lookMs = 10_000

const manifestTables = { raw: 'archive_manifests', judged: 'judged_manifests' } as const

/** Ends of what is archived, by partition. To be read before the archive is: nothing falls between. */
export async function archivedEndsOf(
  catalogue: Queryable,
  archive: ArchiveName,
): Promise<Map<number, number>> {
  const rows = await catalogue.query<{ partition_id: number; ended: number }>(
    `SELECT partition_id, max(end_offset) AS ended FROM ${manifestTables[archive]}
     GROUP BY partition_id`,
  )
  return new Map(rows.map((row) => [Number(row.partition_id), Number(row.ended)]))
}

/** Records from the archived ends on that hold the text. @throws ClickledgerError `unavailable` */
async function tailRecords(
  log: EventLog,
  archive: ArchiveName,
  from: ReadonlyMap<number, number>,
  text: string,
): Promise<LogRecord[]> {
  const topic = topics[archive].name
  const ends = await log.endOffsets(topic)
  const found: LogRecord[] = []
  const deadline = performance.now() + lookMs
  let read = 0
  for (const [partition, end] of ends.entries()) {
    const first = from.get(partition) ?? 0
    if (first >= end) continue
    const reader = await log.reader(topic, partition, first)
    try {
      while (reader.position < end) {
        const records = await reader.read(recordsAtOnce, waitMs)
        read += records.length
        if (read > recordsMax || performance.now() > deadline) throw tooLong(topic)
        for (const record of records) {
          if (
            Buffer.from(
              record.value.buffer,
              record.value.byteOffset,
              record.value.byteLength,
            ).includes(text)
          )
            found.push(record)
        }
      }
    } finally {
      await reader.close()
    }
  }
  return found
}

const tooLong = (topic: string) =>
  new ClickledgerError(
    'unavailable',
    `The archive is far behind ${topic}; a click that waits to be archived cannot be looked up now.`,
  )

/** Raw clicks of this id that are not archived yet. */
export async function rawTail(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  eventId: string,
): Promise<ArchivedClick[]> {
  const records = await tailRecords(log, 'raw', from, eventId)
  return records.flatMap(({ partition, offset, value }) => {
    const decoded = decodeRawClick(value)
    if (decoded.kind === 'reject' || decoded.click.event_id !== eventId) return []
    return [{ ...decoded.click, raw_partition: partition, raw_offset: offset }]
  })
}

/** What the speed layer said of this id and is not archived yet. */
export async function judgedTail(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  eventId: string,
): Promise<JudgedClick[]> {
  const records = await tailRecords(log, 'judged', from, eventId)
  return records
    .map(({ value }) => JSON.parse(Buffer.from(value).toString('utf8')) as JudgedClick)
    .filter((click) => click.event_id === eventId)
}
