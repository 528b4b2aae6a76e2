// The bytes of a write-ahead log segment: a magic, then records of length, CRC-32 and payload.
// The first bad record ends a segment: whatever follows it was never acknowledged, because a
// writer never appends behind a failure.
import { crc32 } from 'node:zlib'
import type { NewRecord } from '#platform/event-log/port.ts'
import { traceparentChars } from '#platform/tracing.ts'
import { encodeRawClickInto } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'

export const segmentMagic = Buffer.from('CLKWAL01', 'latin1')

/** u32 length of the payload, u32 CRC-32 of the payload. */
const recordHeaderBytes = 8
/** u16 key length, f64 timestamp; the key follows, then the value. */
const payloadHeaderBytes = 10
/** In the key length: a trace context lies between key and value. Set only where tracing is on. */
const tracedBit = 0x8000

/** No record is longer: the limits of schemas/limits.ts add up to less. A longer length is damage. */
export const recordBytesMax = 256 * 1024

const pad = (n: number) => String(n).padStart(10, '0')

export const segmentName = (segment: number): string => `${pad(segment)}.wal`

/** Number of the segment in a file of this name; undefined where it is none. */
export function segmentOf(name: string): number | undefined {
  const match = /^(\d{10})\.wal$/.exec(name)
  return match ? Number(match[1]) : undefined
}

/**
 * Appends a record to a buffer.
 * @param key - ASCII (core/identity.ts, partitionKey)
 * @param traceparent - trace context of a sampled click
 * @returns where the record ends; -1 where it does not fit
 */
export function writeRecord(
  into: Buffer,
  at: number,
  key: string,
  click: RawClick,
  traceparent?: string,
): number {
  const payload = at + recordHeaderBytes
  const keyEnd = payload + payloadHeaderBytes + key.length
  const value = traceparent === undefined ? keyEnd : keyEnd + traceparentChars
  if (value > into.length) return -1
  const end = encodeRawClickInto(click, into, value)
  if (end < 0) return -1
  into.writeUInt16LE(traceparent === undefined ? key.length : key.length | tracedBit, payload)
  into.writeDoubleLE(click.received_time, payload + 2)
  into.write(key, payload + payloadHeaderBytes, 'latin1')
  if (traceparent !== undefined) into.write(traceparent, keyEnd, traceparentChars, 'latin1')
  into.writeUInt32LE(end - payload, at)
  into.writeUInt32LE(crc32(into.subarray(payload, end)), at + 4)
  return end
}

export interface ReadResult {
  readonly records: NewRecord[]
  /** Bytes of whole, good records from the start of the buffer. */
  readonly bytes: number
  /** What comes next: nothing or the beginning of a record, zeros, or something else. */
  readonly rest: 'partial' | 'zeros' | 'bad'
}

/** Reads records from the start of a buffer. Their values are views into it, not copies. */
export function readRecords(buffer: Buffer, recordsMax: number): ReadResult {
  const records: NewRecord[] = []
  let at = 0
  while (records.length < recordsMax && at + recordHeaderBytes <= buffer.length) {
    const length = buffer.readUInt32LE(at)
    const payload = at + recordHeaderBytes
    if (length === 0 && buffer.readUInt32LE(at + 4) === 0) {
      return { records, bytes: at, rest: 'zeros' }
    }
    if (length < payloadHeaderBytes || length > recordBytesMax) {
      return { records, bytes: at, rest: 'bad' }
    }
    const end = payload + length
    if (end > buffer.length) break
    const keyWord = buffer.readUInt16LE(payload)
    const keyEnd = payload + payloadHeaderBytes + (keyWord & ~tracedBit)
    const isTraced = (keyWord & tracedBit) !== 0
    const value = isTraced ? keyEnd + traceparentChars : keyEnd
    if (buffer.readUInt32LE(at + 4) !== crc32(buffer.subarray(payload, end)) || value > end) {
      return { records, bytes: at, rest: 'bad' }
    }
    records.push({
      key: buffer.toString('latin1', payload + payloadHeaderBytes, keyEnd),
      timestamp: buffer.readDoubleLE(payload + 2),
      value: buffer.subarray(value, end),
      ...(isTraced && { traceparent: buffer.toString('latin1', keyEnd, value) }),
    })
    at = end
  }
  return { records, bytes: at, rest: 'partial' }
}
