// Connections to SQLite files that several threads and processes share: each waits for the others'
// writes, and what is committed is on the disk.
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'

const busyCode = 5 // SQLITE_BUSY
const switchMs = 10_000
const switchEveryMs = 20

/**
 * Opens a file in write-ahead mode; made where missing.
 * @param busyMs - how long a statement waits for another connection's write
 */
export async function openSqlite(path: string, busyMs: number): Promise<DatabaseSync> {
  const db = new DatabaseSync(path, { timeout: busyMs })
  try {
    await switchToWal(db)
    db.exec('PRAGMA synchronous = FULL')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Of several that open a new file at once all but one are told "busy" straight away, timeout or not. */
async function switchToWal(db: DatabaseSync): Promise<void> {
  const deadline = Date.now() + switchMs
  for (;;) {
    try {
      db.exec('PRAGMA journal_mode = WAL')
      return
    } catch (error) {
      const isBusy = (error as { errcode?: number }).errcode === busyCode
      if (!isBusy || Date.now() > deadline) throw error
      await delay(switchEveryMs)
    }
  }
}
