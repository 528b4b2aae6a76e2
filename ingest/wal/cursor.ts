// How far the sender has come, kept in a file of 20 bytes: segment, offset, CRC-32. It is never
// synced: an old cursor makes the sender ship copies, and copies collapse by identity.
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Position } from './control.ts'

const cursorBytes = 20
const cursorPath = (dir: string) => join(dir, 'cursor')

function encode({ segment, offset }: Position): Buffer {
  const bytes = Buffer.alloc(cursorBytes)
  bytes.writeBigUInt64LE(BigInt(segment), 0)
  bytes.writeBigUInt64LE(BigInt(offset), 8)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 16)), 16)
  return bytes
}

/** The saved position; undefined where there is none, or none that can be trusted. */
export async function readCursor(dir: string): Promise<Position | undefined> {
  const bytes = await readFile(cursorPath(dir)).catch(() => Buffer.alloc(0))
  if (bytes.length !== cursorBytes) return undefined
  if (bytes.readUInt32LE(16) !== crc32(bytes.subarray(0, 16))) return undefined
  return { segment: Number(bytes.readBigUInt64LE(0)), offset: Number(bytes.readBigUInt64LE(8)) }
}

export interface Cursor {
  save(position: Position): Promise<void>
  close(): Promise<void>
}

export async function openCursor(dir: string): Promise<Cursor> {
  const saved = await readCursor(dir)
  const file: FileHandle = await open(cursorPath(dir), saved ? 'r+' : 'w')
  return {
    async save(position) {
      await file.write(encode(position), 0, cursorBytes, 0)
    },
    close: () => file.close(),
  }
}
