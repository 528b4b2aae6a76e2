// Dead letters: records of clicks.raw that were no clicks when the speed layer read them. They are
// read from clicks.dlq, and replayed once the reason is gone: what can be decoded by now is written
// to clicks.raw again, with its own identity. So a replay that runs twice writes a copy, not a click.
import { partitionKey } from '#core/identity.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type DeadLetter, topics } from '#schemas/topics.ts'
import { type Catalogue, places, type Queryable } from '../catalogue/port.ts'
import type { EventLog, LogRecord } from '../event-log/port.ts'

/** Where the letter itself stands on clicks.dlq: `partition-offset`. */
export type DeadLetterId = string

export interface StoredDeadLetter extends DeadLetter {
  readonly id: DeadLetterId
  /** When it was written to clicks.raw again, ms; null: never. */
  readonly replayedAt: number | null
}

export interface DeadLetterPage {
  readonly letters: readonly StoredDeadLetter[]
  /** Next offset of each partition of clicks.dlq. */
  readonly positions: readonly number[]
  readonly hasMore: boolean
}

export type ReplayResult =
  | { readonly id: DeadLetterId; readonly state: 'replayed' | 'already-replayed' | 'not-found' }
  | { readonly id: DeadLetterId; readonly state: 'undecodable'; readonly reason: string }

const topic = topics.deadLetters.name
/** A log that shows nothing of what it has for so long is away: a shorter page would look like the end. */
const readMs = 15_000
const waitMs = 200

function parseLetter({
  value,
  partition,
  offset,
  timestamp,
}: LogRecord): DeadLetter & { id: string } {
  const id = `${partition}-${offset}`
  try {
    return { ...(JSON.parse(Buffer.from(value).toString('utf8')) as DeadLetter), id }
  } catch {
    const error = 'not a dead letter: something else writes to the topic'
    const bytes = Buffer.from(value).toString('base64')
    return { id, topic, partition, offset, error, value: bytes, time: timestamp }
  }
}

/** @returns partition and offset; undefined where the text is no id */
function parseDeadLetterId(id: DeadLetterId): [number, number] | undefined {
  const match = /^(\d{1,6})-(\d{1,15})$/.exec(id)
  return match ? [Number(match[1]), Number(match[2])] : undefined
}

/**
 * Up to `max` records from `from` on, of those before `end`.
 * @throws ClickledgerError `unavailable` where the log does not give them
 */
async function readSome(log: EventLog, partition: number, from: number, end: number, max: number) {
  const records: LogRecord[] = []
  if (from >= end) return records
  const reader = await log.reader(topic, partition, from)
  try {
    const deadline = performance.now() + readMs
    // The position passes the markers of transactions, too: it gets to the end.
    while (records.length < max && reader.position < end) {
      records.push(...(await reader.read(max - records.length, waitMs)))
      if (performance.now() > deadline) {
        throw new ClickledgerError('unavailable', 'The event log does not give its dead letters.')
      }
    }
  } finally {
    await reader.close()
  }
  return records
}

async function replayedAt(catalogue: Queryable, ids: readonly string[]) {
  if (ids.length === 0) return new Map<string, number>()
  const rows = await catalogue.query<{ letter_id: string; replayed_at: number }>(
    `SELECT letter_id, replayed_at FROM dead_letter_replays
     WHERE letter_id IN (${places(ids.length)})`,
    [...ids],
  )
  return new Map(rows.map((row) => [row.letter_id, Number(row.replayed_at)]))
}

/** Positions of the first letters at or after `since` (ms). */
export async function deadLettersSince(log: EventLog, since: number): Promise<number[]> {
  const ends = await log.endOffsets(topic)
  return Promise.all(ends.map((_, partition) => log.offsetAt(topic, partition, since)))
}

/**
 * A page of letters, oldest first as far as partitions allow.
 * @param positions - offset of each partition to begin at
 * @param limit - letters at most
 */
export async function listDeadLetters(
  { log, catalogue }: { log: EventLog; catalogue: Queryable },
  positions: readonly number[],
  limit: number,
): Promise<DeadLetterPage> {
  const ends = await log.endOffsets(topic)
  // One more than asked for: so much may stand in front, and it tells whether there is more.
  const found = await Promise.all(
    ends.map((end, p) => readSome(log, p, positions[p] ?? 0, end, limit + 1)),
  )
  const letters = found
    .flat()
    .sort((a, b) => a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset)
  const page = letters.slice(0, limit)
  const next = ends.map((_, p) => positions[p] ?? 0)
  for (const { partition, offset } of page) {
    next[partition] = Math.max(next[partition] ?? 0, offset + 1)
  }
  const replays = await replayedAt(
    catalogue,
    page.map(({ partition, offset }) => `${partition}-${offset}`),
  )
  return {
    letters: page.map(parseLetter).map((letter) => ({
      ...letter,
      replayedAt: replays.get(letter.id) ?? null,
    })),
    positions: next,
    hasMore: letters.length > limit,
  }
}

/** One letter; undefined where there is none, or no longer. */
export async function findDeadLetter(
  { log, catalogue }: { log: EventLog; catalogue: Queryable },
  id: DeadLetterId,
): Promise<StoredDeadLetter | undefined> {
  const [partition, offset] = parseDeadLetterId(id) ?? []
  if (partition === undefined || offset === undefined) return undefined
  const end = (await log.endOffsets(topic))[partition] ?? 0
  const [record] = await readSome(log, partition, offset, end, 1)
  if (record?.offset !== offset) return undefined
  const replays = await replayedAt(catalogue, [id])
  return { ...parseLetter(record), replayedAt: replays.get(id) ?? null }
}

/**
 * Writes letters to clicks.raw again, those that decode by now. The log first, the record of it
 * second: dying in between leaves a letter that can be replayed again, as a copy of the same click.
 * @param now - ms
 * @throws ClickledgerError `unavailable` where the log does not take them: none is recorded then
 */
export async function replayDeadLetters(
  { log, catalogue }: { log: EventLog; catalogue: Catalogue },
  letters: readonly StoredDeadLetter[],
  { by, now }: { by: string; now: number },
): Promise<ReplayResult[]> {
  const judged = letters.map((letter) => {
    const { id, value } = letter
    if (letter.replayedAt !== null) return { id, state: 'already-replayed' as const }
    const bytes = Buffer.from(value, 'base64')
    const decoded = decodeRawClick(bytes)
    if (decoded.kind === 'reject')
      return { id, state: 'undecodable' as const, reason: decoded.reason }
    const { ad_id, ip_hash } = decoded.click
    const record = { key: partitionKey(ad_id, ip_hash), value: bytes, timestamp: now }
    return { id, state: 'replayed' as const, record }
  })
  const records = judged.flatMap((one) => (one.state === 'replayed' ? [one.record] : []))
  if (records.length > 0) await append(log, records)
  for (const { id, state } of judged) {
    if (state !== 'replayed') continue
    await catalogue.query(
      `INSERT INTO dead_letter_replays (letter_id, replayed_at, replayed_by) VALUES ($1, $2, $3)
       ON CONFLICT (letter_id) DO NOTHING`,
      [id, now, by],
    )
  }
  return judged.map((one) =>
    one.state === 'undecodable'
      ? { id: one.id, state: one.state, reason: one.reason }
      : { id: one.id, state: one.state },
  )
}

async function append(log: EventLog, records: Parameters<EventLog['append']>[1]): Promise<void> {
  try {
    await log.append(topics.raw.name, records)
  } catch (cause) {
    throw new ClickledgerError('unavailable', 'The event log does not take the clicks.', cause)
  }
}
