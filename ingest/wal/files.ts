// The few file operations of the write-ahead log, so that a test can make each of them fail, and
// the names of what lies in its directory.
import { open, readdir, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { segmentName, segmentOf } from './segment.ts'

/** A file being written. A FileHandle is one. */
export interface WalFile {
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesWritten: number }>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface WalFiles {
  /** Makes a file that must not exist yet, and makes its name durable. */
  create(path: string): Promise<WalFile>
  remove(path: string): Promise<void>
}

export const walFiles: WalFiles = {
  async create(path) {
    const file = await open(path, 'wx')
    try {
      // Without this a power failure can lose the name of a file whose content is durable.
      const directory = await open(dirname(path), 'r')
      await directory.sync().finally(() => directory.close())
    } catch (error) {
      await file.close()
      throw error
    }
    return file
  },
  remove: unlink,
}

export const segmentPath = (dir: string, segment: number): string => join(dir, segmentName(segment))

/** Numbers of the segments in a directory, oldest first. */
export async function listSegments(dir: string): Promise<number[]> {
  const numbers = (await readdir(dir)).map(segmentOf).filter((n) => n !== undefined)
  return numbers.sort((a, b) => a - b)
}
