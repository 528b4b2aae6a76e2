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

/** The first record from the archived ends on that is taken. @throws ClickledgerError `unavailable` */
async function firstInTail<T>(
  log: EventLog,
  archive: ArchiveName,
  from: ReadonlyMap<number, number>,
  take: (record: LogRecord) => T | undefined,
): Promise<T | undefined> {
  const topic = topics[archive].name
  const ends = await log.endOffsets(topic)
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
          const taken = take(record)
          if (taken !== undefined) return taken
        }
      }
    } finally {
      await reader.close()
    }
  }
  return undefined
}

/** Looking for the text is far cheaper than decoding. */
const holds = ({ value }: LogRecord, text: string) =>
  Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes(text)

const tooLong = (topic: string) =>
  new ClickledgerError(
    'unavailable',
    `The archive is far behind ${topic}; a click that waits to be archived cannot be looked up now.`,
  )

/** A raw click of this id that is not archived yet. */
export function rawTail(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  eventId: string,
  isAsked: (click: ArchivedClick) => boolean,
): Promise<ArchivedClick | undefined> {
  return firstInTail(log, 'raw', from, (record) => {
    if (!holds(record, eventId)) return undefined
    const decoded = decodeRawClick(record.value)
    if (decoded.kind === 'reject' || decoded.click.event_id !== eventId) return undefined
    const { partition: raw_partition, offset: raw_offset } = record
    const click = { ...decoded.click, raw_partition, raw_offset }
    return isAsked(click) ? click : undefined
  })
}

/** What the speed layer said of a click and is not archived yet. */
export function judgedTail(
  log: EventLog,
  from: ReadonlyMap<number, number>,
  eventId: string,
  isAsked: (click: JudgedClick) => boolean,
): Promise<JudgedClick | undefined> {
  return firstInTail(log, 'judged', from, (record) => {
    if (!holds(record, eventId)) return undefined
    const click = JSON.parse(Buffer.from(record.value).toString('utf8')) as JudgedClick
    return click.event_id === eventId && isAsked(click) ? click : undefined
  })
}
