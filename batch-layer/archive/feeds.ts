// What is archived: a topic, the columns of its files, and how a record becomes a row. Sealing and
// rebuilds stand on the raw feed alone; the judged one is there to be compared with.
import type { LogRecord } from '#platform/event-log/port.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import { archivedFields, type Field, judgedFields, unknownValue } from '#schemas/fields.ts'
import type { ArchiveName } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'

/** A row of an archive; everything else in it is the feed's own. */
export type ArchiveRow = Readonly<Record<string, string | number>> & { readonly event_time: number }

export interface Feed {
  readonly name: ArchiveName
  readonly topic: string
  readonly fields: readonly Field[]
  /**
   * The chain may pass over what the log no longer held when archiving began: judged clicks are
   * older than their archive where an installation got it later. Raw clicks must never be missed.
   */
  readonly mayBeginLate: boolean
  /** @returns undefined for a record that cannot be decoded */
  rowOf(record: LogRecord): ArchiveRow | undefined
}

/** First part of the names of a feed's tables in the catalogue. */
export const tablesOf: Readonly<Record<ArchiveName, string>> = { raw: 'archive', judged: 'judged' }

export const rawFeed: Feed = {
  name: 'raw',
  topic: topics.raw.name,
  fields: archivedFields,
  mayBeginLate: false,
  rowOf({ partition, offset, value }) {
    const decoded = decodeRawClick(value)
    if (decoded.kind === 'reject') return undefined
    return { ...decoded.click, raw_partition: partition, raw_offset: offset }
  },
}

/** Paths have years of four digits. */
const timeEnd = Date.UTC(10_000, 0, 1)

/** Fields that a record does not have were added later: they read as unknown. */
function judgedRow(value: Uint8Array): ArchiveRow | undefined {
  const click = JSON.parse(Buffer.from(value).toString('utf8')) as Record<string, unknown> | null
  if (typeof click !== 'object' || click === null) return undefined
  const row: Record<string, string | number> = {}
  for (const { name, type } of judgedFields) {
    const unknown = unknownValue(type)
    const held = click[name] ?? unknown
    if (typeof held !== typeof unknown) return undefined
    if (typeof held === 'number' && !Number.isSafeInteger(held)) return undefined
    row[name] = held as string | number
  }
  const event_time = Number(row.event_time)
  if (row.event_id === '' || event_time <= 0 || event_time >= timeEnd) return undefined
  return { ...row, event_time }
}

export const judgedFeed: Feed = {
  name: 'judged',
  topic: topics.judged.name,
  fields: judgedFields,
  mayBeginLate: true,
  rowOf({ value }) {
    try {
      return judgedRow(value)
    } catch {
      return undefined
    }
  },
}
