// One owner of a directory at a time. Node has no file locks; SQLite has, and the system frees
// them when a process dies, however it dies.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ClickledgerError } from '#schemas/errors.ts'

/**
 * Takes the lock of a directory (made where missing). @returns how to free it
 * @throws ClickledgerError `already-running` where another has it
 */
export function lockDirectory(dir: string): () => void {
  mkdirSync(dir, { recursive: true })
  const db = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw new ClickledgerError('already-running', `another process uses ${dir}`, error)
  }
  return () => db.close()
}
