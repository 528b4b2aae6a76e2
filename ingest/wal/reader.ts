// The reading half of the write-ahead log: batches of records from a position up to the durable
// one. The current segment is read no further than `durable`; an older one to its last good record.
import { type FileHandle, open } from 'node:fs/promises'
import type { NewRecord } from '#platform/event-log/port.ts'
import type { Position } from './control.ts'
import { segmentPath } from './files.ts'
import { readRecords, recordBytesMax, segmentMagic } from './segment.ts'

const chunkBytes = Math.max(1024 * 1024, 2 * recordBytesMax)
const batchRecordsMax = 5_000

/**
 * - `records`: a batch; its values are valid until the next read.
 * - `skip`: nothing to ship up to `end`. `lostBytes` of it could not be read.
 */
export type Batch =
  | { readonly kind: 'records'; readonly records: readonly NewRecord[]; readonly end: Position }
  | { readonly kind: 'skip'; readonly lostBytes: number; readonly end: Position }

export interface SegmentReader {
  /** What comes after `from`, which is before `durable`. */
  read(from: Position, durable: Position): Promise<Batch>
  close(): Promise<void>
}

interface OpenFile {
  readonly segment: number
  readonly handle: FileHandle
}

export function createSegmentReader(dir: string): SegmentReader {
  const chunk = Buffer.allocUnsafe(chunkBytes)
  let current: OpenFile | undefined

  const close = async () => {
    await current?.handle.close()
    current = undefined
  }

  const handleOf = async (segment: number): Promise<FileHandle | undefined> => {
    if (current?.segment === segment) return current.handle
    await close()
    try {
      const handle = await open(segmentPath(dir, segment), 'r')
      current = { segment, handle }
      return handle
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  }

  return {
    close,
    async read(from, durable) {
      const { segment } = from
      const isSealed = segment < durable.segment
      const skip = (lostBytes: number): Batch => ({
        kind: 'skip',
        lostBytes,
        end: isSealed ? { segment: segment + 1, offset: 0 } : durable,
      })
      const handle = await handleOf(segment)
      if (!handle) return skip(0)
      const end = isSealed ? (await handle.stat()).size : durable.offset
      const offset = Math.max(from.offset, segmentMagic.length)
      if (offset >= end) return skip(0)
      if (!(await hasMagic(handle, from))) return skip(end - from.offset)
      const length = Math.min(chunk.length, end - offset)
      const { bytesRead } = await handle.read(chunk, 0, length, offset)
      const { records, bytes, rest } = readRecords(chunk.subarray(0, bytesRead), batchRecordsMax)
      if (records.length === 0) {
        // Zeros to the end were written ahead of records that never came. A page of zeros with
        // something behind it is damage.
        const isUnused = rest === 'zeros' && (await isZeros(handle, chunk, offset, end))
        return skip(isUnused ? 0 : end - offset)
      }
      return { kind: 'records', records, end: { segment, offset: offset + bytes } }
    },
  }
}

/** Looks at the magic where the read begins at the start of a segment. */
async function hasMagic(handle: FileHandle, { offset }: Position): Promise<boolean> {
  if (offset >= segmentMagic.length) return true
  const found = Buffer.alloc(segmentMagic.length)
  await handle.read(found, 0, found.length, 0)
  return found.equals(segmentMagic)
}

/** Whether a file holds nothing but zeros in [offset, end). */
async function isZeros(handle: FileHandle, buffer: Buffer, offset: number, end: number) {
  for (let at = offset; at < end; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at)
    if (bytesRead === 0) return true
    if (buffer.subarray(0, bytesRead).some((byte) => byte !== 0)) return false
    at += bytesRead
  }
  return true
}
