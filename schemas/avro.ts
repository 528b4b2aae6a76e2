// Raw clicks on the wire: Avro in Confluent framing (magic byte 0, 4-byte big-endian schema id,
// binary). Ids are fixed in schemas/avro-schema.ts, so no registry is needed; where one is used, its own
// ids stand on the wire, and the edge of the event log translates (platform/schema-registry-log.ts).
import { readFileSync } from 'node:fs'
import avro from 'avsc'
import { rawSchemaIds, rawWriterId } from './avro-schema.ts'
import type { RawClick } from './fields.ts'

const headerBytes = 5

/** The published schema of an id, as it was written. */
export function publishedRawSchema(id: number): avro.Schema {
  const file = new URL(`./avro/clicks.raw.${id}.avsc`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8'))
}

// avsc reads a logical type that it has no class for as its base type: a plain long is what we want.
const writer = avro.Type.forSchema(publishedRawSchema(rawWriterId))
const readers = new Map<number, (bytes: Buffer) => RawClick>()
for (const id of rawSchemaIds) {
  const writerType = avro.Type.forSchema(publishedRawSchema(id))
  const resolver = id === rawWriterId ? undefined : writer.createResolver(writerType)
  readers.set(id, (bytes) => writer.fromBuffer(bytes, resolver) as RawClick)
}

/** Encodes a click for clicks.raw. */
export function encodeRawClick(click: RawClick): Buffer {
  const body = writer.toBuffer(click)
  const framed = Buffer.allocUnsafe(headerBytes + body.length)
  framed[0] = 0
  framed.writeUInt32BE(rawWriterId, 1)
  body.copy(framed, headerBytes)
  return framed
}

/**
 * Encodes a click for clicks.raw into a buffer, for the hot path: nothing is allocated.
 * @returns where the encoded bytes end; -1 where they do not fit
 */
export function encodeRawClickInto(click: RawClick, into: Buffer, at: number): number {
  if (at + headerBytes > into.length) return -1
  into[at] = 0
  into.writeUInt32BE(rawWriterId, at + 1)
  const end = writer.encode(click, into, at + headerBytes)
  return end < 0 ? -1 : end
}

/**
 * The record with another schema id in its frame, by `ids`; itself where they have none for it. The
 * given bytes stay as they are: they may be a view into a write-ahead log that is sent again.
 */
export function withSchemaId(bytes: Uint8Array, ids: ReadonlyMap<number, number>): Uint8Array {
  const from = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (from.length < headerBytes || from[0] !== 0) return bytes
  const id = from.readUInt32BE(1)
  const other = ids.get(id)
  if (other === undefined || other === id) return bytes
  const framed = Buffer.from(from)
  framed.writeUInt32BE(other, 1)
  return framed
}

export type Decoded = { kind: 'click'; click: RawClick } | { kind: 'reject'; reason: string }

/** Years of four digits: object paths have no more, and a Date does not reach as far as a long. */
const timeEnd = Date.UTC(10_000, 0, 1)
const isTime = (time: number): boolean => time >= 0 && time < timeEnd

/** Decodes a record of clicks.raw. Bad bytes are a value, never an exception. */
export function decodeRawClick(bytes: Uint8Array): Decoded {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (buffer.length < headerBytes || buffer[0] !== 0) {
    return { kind: 'reject', reason: 'not in Confluent framing (magic byte 0)' }
  }
  const id = buffer.readUInt32BE(1)
  const read = readers.get(id)
  if (!read) return { kind: 'reject', reason: `unknown schema id ${id}` }
  try {
    const click = read(buffer.subarray(headerBytes))
    if (click.event_id === '') return { kind: 'reject', reason: 'a click without event_id' }
    if (!isTime(click.event_time) || !isTime(click.received_time)) {
      return { kind: 'reject', reason: 'event_time or received_time is not of the years 1970-9999' }
    }
    return { kind: 'click', click }
  } catch (error) {
    return { kind: 'reject', reason: `not Avro of schema ${id}: ${(error as Error).message}` }
  }
}
