// Archives one partition: log -> spool -> Parquet -> manifest -> index. Crash anywhere and run
// again: the chain says where to go on; files that no manifest names are never read.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { EventLog, LogReader } from '#platform/event-log/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { archivedEnds, indexManifests, syncIndex } from './archive-index.ts'
import { type Feed, rawFeed } from './feeds.ts'
import { heldFrom, passOver } from './late-begin.ts'
import { type Manifest, putManifest } from './manifest.ts'
import type { ArchiveMetrics } from './metrics.ts'
import { openSpool, type Spool } from './spool.ts'
import { writeParquet } from './write-parquet.ts'

const readRecords = 5_000

export interface ArchiverOptions {
  /** Absent: raw clicks. */
  readonly feed?: Feed
  readonly log: EventLog
  readonly objects: ObjectStore
  readonly catalogue: Catalogue
  readonly scratch: string
  readonly partition: number
  readonly partitions: number
  readonly now: () => number
  readonly intervalMs: number
  readonly rowsMax: number
  readonly memoryBytes: number
  readonly metrics?: Pick<ArchiveMetrics, 'flushSeconds' | 'published'>
}

export interface Archiver {
  /** Offsets below this are archived. */
  readonly archivedEnd: number
  /**
   * Reads what is there and flushes what is due.
   * @param wantedEnd - flush now if this offset is not archived yet
   * @returns whether anything was read or flushed
   */
  step(wantedEnd: number): Promise<boolean>
  close(): Promise<void>
}

/** Opens the archiver of a partition at the end of its manifest chain. */
export async function openArchiver(options: ArchiverOptions): Promise<Archiver> {
  const { log, objects, catalogue, scratch, partition, partitions, now, feed = rawFeed } = options
  const { name, topic } = feed
  await mkdir(scratch, { recursive: true })
  let archivedEnd = (await archivedEnds(catalogue, partitions, name))[partition] ?? 0
  if (feed.mayBeginLate) archivedEnd = await passOver(options, feed, archivedEnd)
  let reader: LogReader = await log.reader(topic, partition, archivedEnd)
  let spool: Spool | undefined
  let spooledAt = 0

  const reopen = async (end: number) => {
    archivedEnd = end
    await reader.close()
    reader = await log.reader(topic, partition, end)
  }

  const flush = async (full: Spool): Promise<void> => {
    const { memoryBytes, metrics } = options
    const flushed = metrics?.flushSeconds.startTimer()
    await full.finish()
    const files = await writeParquet(full, { objects, feed, scratch, partition, memoryBytes })
    const manifest: Manifest = {
      partition,
      first: full.first,
      end: full.end,
      files,
      undecodable: full.undecodable,
      archivedAt: now(),
    }
    if (await putManifest(objects, manifest, name)) {
      await indexManifests(catalogue, [manifest], name)
      archivedEnd = manifest.end
      metrics?.published(manifest)
      flushed?.()
    } else {
      // Another archiver was first: go on from where its chain ends.
      await reopen((await syncIndex(catalogue, objects, partitions, name))[partition] ?? 0)
    }
  }

  /** Offsets without records are markers of the log, unless it no longer holds what was there. */
  const checkHeld = async (from: number): Promise<void> => {
    const held = await heldFrom(log, topic, partition)
    if (held <= from) return
    throw new ClickledgerError(
      'archive-gap',
      `${topic} partition ${partition} no longer holds offsets ${from} to ${held - 1}: they are past retention, and not archived`,
    )
  }

  const isDue = (s: Spool, wantedEnd: number): boolean =>
    s.clicks >= options.rowsMax ||
    now() - spooledAt >= options.intervalMs ||
    (wantedEnd > archivedEnd && s.end >= wantedEnd)

  const drop = async () => {
    const dropped = spool
    spool = undefined
    await dropped?.remove()
  }

  return {
    get archivedEnd() {
      return archivedEnd
    },
    async step(wantedEnd) {
      try {
        const from = spool?.end ?? archivedEnd
        const records = await reader.read(readRecords, 0)
        const to = reader.position
        if (to - from > records.length) await checkHeld(from)
        if (to > from) {
          if (!spool) {
            spool = openSpool(join(scratch, `spool-${partition}.jsonl`), from, feed)
            spooledAt = now()
          }
          await spool.add(records, to)
        }
        if (!spool || !isDue(spool, wantedEnd)) return to > from
        await flush(spool)
        await drop()
        return true
      } catch (error) {
        // Whatever half of it was done, the chain says where to go on.
        await drop()
        await reopen(archivedEnd)
        throw error
      }
    },
    async close() {
      await drop()
      await reader.close()
    },
  }
}
