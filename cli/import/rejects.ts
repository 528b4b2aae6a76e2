// Rows that could not be used: counted by reason, and written to a file as JSON lines so that they can
// be corrected and imported again. The file is made with the first of them: none, no file.
import { once } from 'node:events'
import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'

const rowCharsMax = 8_192

export interface RejectedRow {
  readonly line: number
  readonly reason: string
  readonly detail: string
  /** The row as it stands in the file, cut at 8,192 characters. */
  readonly row: string
}

export interface Rejects {
  readonly counts: Readonly<Record<string, number>>
  readonly total: number
  /** Undefined while there are none. */
  readonly path: string | undefined
  add(rows: readonly RejectedRow[]): Promise<void>
  close(): Promise<void>
}

/** @param path - the file; an older one is replaced */
export function createRejects(path: string): Rejects {
  const counts: Record<string, number> = {}
  let total = 0
  let stream: WriteStream | undefined
  let done: Promise<void> | undefined

  return {
    counts,
    get total() {
      return total
    },
    get path() {
      return stream && path
    },
    async add(rows) {
      if (rows.length === 0) return
      if (!stream) {
        stream = createWriteStream(path)
        done = finished(stream)
        done.catch(() => {}) // close() reports it; until then it must not end the process
      }
      const lines = rows.map(({ line, reason, detail, row }) => {
        counts[reason] = (counts[reason] ?? 0) + 1
        return `${JSON.stringify({ line, reason, detail, row: row.slice(0, rowCharsMax) })}\n`
      })
      total += rows.length
      if (!stream.write(lines.join('')) && done) await Promise.race([once(stream, 'drain'), done])
    },
    async close() {
      stream?.end()
      await done
    },
  }
}
