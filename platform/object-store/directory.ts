// The object store in a directory. An object appears by rename or link, after its bytes and before
// the answer are on disk; a crash leaves at most a temporary file, which the next open sweeps.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { ClickledgerError } from '#schemas/errors.ts'
import { checkObjectKey } from './key.ts'
import type { LocalFile, ObjectInfo, ObjectStore } from './port.ts'

const temporary = '.tmp'

const hasCode = (error: unknown, code: string) => (error as NodeJS.ErrnoException).code === code

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Opens (and makes) a directory as an object store. */
export async function openDirectoryStore({ dir }: { dir: string }): Promise<ObjectStore> {
  const root = resolve(dir)
  const made = new Set<string>()
  await mkdir(join(root, temporary), { recursive: true })

  const pathOf = (key: string): string => {
    checkObjectKey(key)
    if (key.startsWith(temporary)) {
      throw new ClickledgerError('bad-request', `"${key}" is not an object key`)
    }
    return join(root, key)
  }

  /** Makes a folder durable: each new level is synced in its parent. */
  const makeFolder = async (path: string): Promise<void> => {
    if (made.has(path)) return
    const first = await mkdir(path, { recursive: true })
    if (first) {
      for (let at = path; at.length >= first.length; at = dirname(at)) await syncPath(dirname(at))
    }
    made.add(path)
  }

  const writeTemporary = async (content: Uint8Array | LocalFile): Promise<string> => {
    const path = join(root, temporary, `${process.pid}-${randomBytes(8).toString('hex')}`)
    if (content instanceof Uint8Array) {
      const handle = await open(path, 'wx')
      try {
        await handle.writeFile(content)
        await handle.sync()
      } finally {
        await handle.close()
      }
    } else {
      await copyFile(content.path, path, constants.COPYFILE_FICLONE)
      await syncPath(path)
    }
    return path
  }

  async function* listFolder(
    folder: string,
    prefix: string,
    after: string,
  ): AsyncIterable<ObjectInfo> {
    const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
      if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return []
      throw error
    })
    const named = entries.map((entry) => {
      const key = relative(root, join(folder, entry.name)).split(sep).join('/')
      return { entry, key: entry.isDirectory() ? `${key}/` : key }
    })
    named.sort((a, b) => (a.key < b.key ? -1 : 1))
    for (const { entry, key } of named) {
      if (key === `${temporary}/`) continue
      if (entry.isDirectory()) {
        const mayMatch = key.startsWith(prefix) || prefix.startsWith(key)
        const mayFollow = key > after || after.startsWith(key)
        if (mayMatch && mayFollow) yield* listFolder(join(folder, entry.name), prefix, after)
      } else if (key.startsWith(prefix) && key > after) {
        yield { key, bytes: (await stat(join(folder, entry.name))).size }
      }
    }
  }

  return {
    async put(key, content) {
      const path = pathOf(key)
      const written = await writeTemporary(content)
      await makeFolder(dirname(path))
      await rename(written, path)
      await syncPath(dirname(path))
    },
    async putIfAbsent(key, content) {
      const path = pathOf(key)
      const written = await writeTemporary(content)
      await makeFolder(dirname(path))
      try {
        await link(written, path)
        await syncPath(dirname(path))
        return true
      } catch (error) {
        if (hasCode(error, 'EEXIST')) return false
        throw error
      } finally {
        await rm(written, { force: true })
      }
    },
    async get(key) {
      return readFile(pathOf(key)).catch((error) => {
        if (hasCode(error, 'ENOENT')) return undefined
        throw error
      })
    },
    async getRange(key, start, end) {
      const handle = await open(pathOf(key), 'r').catch((error) => {
        if (hasCode(error, 'ENOENT')) return undefined
        throw error
      })
      if (!handle) return undefined
      try {
        const bytes = Buffer.alloc(Math.max(0, end - start))
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start)
        return bytes.subarray(0, bytesRead)
      } finally {
        await handle.close()
      }
    },
    list: (prefix, startAfter = '') =>
      listFolder(join(root, prefix.slice(0, prefix.lastIndexOf('/') + 1)), prefix, startAfter),
    async remove(key) {
      await rm(pathOf(key), { force: true })
    },
    async localPath(key) {
      const path = pathOf(key)
      await stat(path).catch(() => {
        throw new ClickledgerError('archive-gap', `no object "${key}" in the object store`)
      })
      return path
    },
    close: async () => {},
  }
}
