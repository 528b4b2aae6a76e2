// How records lie in a stored batch: one blob for many records, as brokers do it, because a row
// per record costs five times the work. Little-endian: u32 value length, u16 key length, f64
// timestamp, key (UTF-8), value. The highest bit of the key length says that a trace context, of
// fixed length, lies between key and value: records without one cost nothing for it.
import { traceparentChars } from '../tracing.ts'
import type { LogRecord, NewRecord } from './port.ts'

const headerBytes = 14
const tracedBit = 0x8000

export function encodeBatch(records: readonly NewRecord[]): Buffer {
  let bytes = 0
  for (const { key, value, traceparent } of records) {
    bytes += headerBytes + Buffer.byteLength(key) + value.length
    if (traceparent !== undefined) bytes += traceparentChars
  }
  const body = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const { key, value, timestamp, traceparent } of records) {
    const keyBytes = body.write(key, at + headerBytes)
    body.writeUInt32LE(value.length, at)
    body.writeUInt16LE(traceparent === undefined ? keyBytes : keyBytes | tracedBit, at + 4)
    body.writeDoubleLE(timestamp, at + 6)
    at += headerBytes + keyBytes
    if (traceparent !== undefined) at += body.write(traceparent, at, 'latin1')
    body.set(value, at)
    at += value.length
  }
  return body
}

/** Records of a batch from `fromOffset` on. Values are views into the body, not copies. */
export function decodeBatch(
  partition: number,
  base: number,
  stored: Uint8Array,
  fromOffset = base,
): LogRecord[] {
  const body = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  const records: LogRecord[] = []
  let offset = base
  for (let at = 0; at < body.length; offset++) {
    const valueBytes = body.readUInt32LE(at)
    const keyWord = body.readUInt16LE(at + 4)
    const keyEnd = at + headerBytes + (keyWord & ~tracedBit)
    const isTraced = (keyWord & tracedBit) !== 0
    const value = isTraced ? keyEnd + traceparentChars : keyEnd
    if (offset >= fromOffset) {
      records.push({
        partition,
        offset,
        timestamp: body.readDoubleLE(at + 6),
        key: body.toString('utf8', at + headerBytes, keyEnd),
        value: body.subarray(value, value + valueBytes),
        ...(isTraced && { traceparent: body.toString('latin1', keyEnd, value) }),
      })
    }
    at = value + valueBytes
  }
  return records
}
