// One process per write-ahead log: a second one would ship and delete the segment that the first
// still writes. Node has no file locks; SQLite has, and the system frees them when a process dies.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ClickledgerError } from '#schemas/errors.ts'

/**
 * Takes the lock of a directory. @returns how to free it
 * @throws ClickledgerError `already-running` where another has it
 */
export function lockDirectory(dir: string): () => void {
  const db = new DatabaseSync(join(dir, 'lock.sqlite'), { timeout: 0 })
  try {
    db.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    db.close()
    throw new ClickledgerError('already-running', `another process writes to ${dir}`, error)
  }
  return () => db.close()
}
