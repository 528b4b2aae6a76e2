// How records lie in a stored batch: one blob for many records, as brokers do it, because a row
// per record costs five times the work. Little-endian: u32 value length, u16 key length, f64
// timestamp, key (UTF-8), value.
import type { LogRecord, NewRecord } from './port.ts'

const headerBytes = 14

export function encodeBatch(records: readonly NewRecord[]): Buffer {
  let bytes = 0
  for (const { key, value } of records) {
    bytes += headerBytes + Buffer.byteLength(key) + value.length
  }
  const body = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const { key, value, timestamp } of records) {
    const keyBytes = body.write(key, at + headerBytes)
    body.writeUInt32LE(value.length, at)
    body.writeUInt16LE(keyBytes, at + 4)
    body.writeDoubleLE(timestamp, at + 6)
    body.set(value, at + headerBytes + keyBytes)
    at += headerBytes + keyBytes + value.length
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
    const keyBytes = body.readUInt16LE(at + 4)
    const value = at + headerBytes + keyBytes
    if (offset >= fromOffset) {
      records.push({
        partition,
        offset,
        timestamp: body.readDoubleLE(at + 6),
        key: body.toString('utf8', at + headerBytes, value),
        value: body.subarray(value, value + valueBytes),
      })
    }
    at = value + valueBytes
  }
  return records
}
