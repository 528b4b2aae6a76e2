// One connection (or pool) per thread and database, however many parts of a layer open it: a second
// one to a SQLite file would wait for the first one's transaction, a second pool would double what
// the limit of connections promises.
import type { Catalogue } from './port.ts'

/** Opens by key; who opens the same key shares. What failed to open is tried anew the next time. */
export function createShared() {
  const open = new Map<string, { opening: Promise<Catalogue>; users: number }>()

  return async (key: string, connect: () => Promise<Catalogue>): Promise<Catalogue> => {
    const entry = open.get(key) ?? { opening: connect(), users: 0 }
    open.set(key, entry)
    entry.users++
    const leave = (): boolean => {
      if (--entry.users > 0) return false
      if (open.get(key) === entry) open.delete(key)
      return true
    }
    const connection = await entry.opening.catch((error: unknown) => {
      leave()
      throw error
    })
    let closed = false
    return {
      query: connection.query,
      transaction: connection.transaction,
      async close() {
        if (closed) return
        closed = true
        if (leave()) await connection.close()
      },
    }
  }
}
