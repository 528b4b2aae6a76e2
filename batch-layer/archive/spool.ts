// Clicks on their way into the archive: decoded, written as JSON lines to a scratch file, until a
// flush turns them into Parquet. The file is worth nothing after a crash: the log has it all.

import { once } from 'node:events'
import { createWriteStream, rmSync } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { LogRecord } from '#platform/event-log/port.ts'
import { hourOf } from '#schemas/paths.ts'
import type { Feed } from './feeds.ts'

export interface Spool {
  /** Offsets [first, end) are in it; offsets between records are markers of the log's own. */
  readonly first: number
  readonly end: number
  readonly clicks: number
  readonly undecodable: number
  readonly hours: ReadonlySet<number>
  readonly path: string
  /** @param to - offset of the record that comes next */
  add(records: readonly LogRecord[], to: number): Promise<void>
  /** Ends writing; the file is complete afterwards. */
  finish(): Promise<void>
  remove(): Promise<void>
}

/** Starts a spool at offset `first`. */
export function openSpool(path: string, first: number, feed: Pick<Feed, 'rowOf'>): Spool {
  const stream = createWriteStream(path)
  // A full disk fails the stream between two calls: without a listener it would end the thread.
  let failure: Error | undefined
  stream.on('error', (error) => {
    failure = error
  })
  const hours = new Set<number>()
  let end = first
  let clicks = 0
  let undecodable = 0
  return {
    first,
    get end() {
      return end
    },
    get clicks() {
      return clicks
    },
    get undecodable() {
      return undecodable
    },
    hours,
    path,
    async add(records, to) {
      if (failure) throw failure
      let text = ''
      for (const record of records) {
        const row = feed.rowOf(record)
        if (!row) {
          undecodable++
          continue
        }
        clicks++
        hours.add(hourOf(row.event_time))
        text += `${JSON.stringify(row)}\n`
      }
      end = to
      if (text !== '' && !stream.write(text)) await once(stream, 'drain')
    },
    async finish() {
      if (failure) throw failure
      stream.end()
      await finished(stream)
    },
    async remove() {
      stream.destroy()
      rmSync(path, { force: true })
    },
  }
}
