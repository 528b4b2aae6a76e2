// Local copies of objects, bounded, shared by all threads and processes on one data directory
// without talking to each other: a user holds a file by a hard link of its own, so that evicting it
// from the cache takes nothing away from those who still read it.
import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { lockDirectory } from '../directory-lock.ts'

/** A folder younger than this may still be about to be locked by its owner. */
const sweepAfterMs = 60_000
/** Files are looked through again after this share of the limit was added. */
const scanShare = 1 / 16

export interface CachedFile {
  /** Name of the content: other bytes, another name. Letters, digits, dots. */
  readonly name: string
  readonly bytes: number
  /** Writes the content to `path`, or throws. */
  fetch(path: string): Promise<void>
}

export interface LocalCache {
  /** A file with the content, valid until close. */
  path(file: CachedFile): Promise<string>
  close(): Promise<void>
}

export interface LocalCacheOptions {
  readonly dir: string
  /** Bytes on disk at most, besides files that are in use: those are needed, whatever they take. */
  readonly bytesMax: number
}

const hasCode = (error: unknown, code: string) => (error as NodeJS.ErrnoException).code === code

/** Opens the cache: a handle that holds the files it gave out. */
export async function openLocalCache({ dir, bytesMax }: LocalCacheOptions): Promise<LocalCache> {
  const files = join(dir, 'files')
  const users = join(dir, 'users')
  await mkdir(files, { recursive: true })
  await mkdir(users, { recursive: true })
  await sweepDead(users)
  const own = join(users, randomBytes(8).toString('hex'))
  const unlock = lockDirectory(own)
  const held = new Map<string, Promise<string>>()
  let addedBytes = Number.POSITIVE_INFINITY // the first file that is added looks at what is there

  const makeRoom = async (bytes: number): Promise<void> => {
    addedBytes += bytes
    if (addedBytes <= bytesMax * scanShare) return
    addedBytes = bytes
    await evict(files, bytesMax * (1 - scanShare) - bytes)
  }

  const obtain = async ({ name, bytes, fetch }: CachedFile): Promise<string> => {
    const shared = join(files, name)
    const mine = join(own, name)
    try {
      await link(shared, mine)
      const now = new Date()
      await utimes(mine, now, now) // the eviction's "last used"
      return mine
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
    await makeRoom(bytes)
    const partial = `${mine}.partial`
    try {
      await fetch(partial)
      await syncFile(partial) // a power cut must not leave a torn file under a name that is trusted
      await link(partial, mine)
      await rename(partial, shared) // another user may have been faster: the content is the same
      return mine
    } catch (error) {
      for (const path of [partial, mine]) await rm(path, { force: true })
      throw error
    }
  }

  return {
    path(file) {
      const known = held.get(file.name)
      if (known) return known
      const obtained = obtain(file)
      held.set(file.name, obtained)
      obtained.catch(() => held.delete(file.name))
      return obtained
    },
    async close() {
      await Promise.allSettled(held.values())
      unlock()
      await rm(own, { recursive: true, force: true })
    },
  }
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes files that nobody uses, the longest unused first, until `bytesMax` are left. */
async function evict(dir: string, bytesMax: number): Promise<void> {
  const found: { path: string; bytes: number; usedAt: number; isHeld: boolean }[] = []
  for (const name of await readdir(dir)) {
    const path = join(dir, name)
    const info = await stat(path).catch(() => undefined) // another user evicts too
    if (!info) continue
    found.push({ path, bytes: info.size, usedAt: info.mtimeMs, isHeld: info.nlink > 1 })
  }
  let bytes = found.reduce((sum, file) => sum + file.bytes, 0)
  found.sort((a, b) => a.usedAt - b.usedAt)
  for (const file of found) {
    if (bytes <= bytesMax) return
    if (file.isHeld) continue
    await rm(file.path, { force: true })
    bytes -= file.bytes
  }
}

/** Removes what users left who died: their locks are free. */
async function sweepDead(users: string): Promise<void> {
  for (const name of await readdir(users)) {
    const path = join(users, name)
    const info = await stat(path).catch(() => undefined)
    if (!info || Date.now() - info.mtimeMs < sweepAfterMs) continue
    try {
      lockDirectory(path)()
    } catch {
      continue // in use
    }
    await rm(path, { recursive: true, force: true })
  }
}
