// The loop over the partitions of one feed. Each feed has its own: what the judged archive waits
// for never holds up the raw one, which sealing waits for.
import type { Catalogue } from '#platform/catalogue/port.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { syncIndex } from './archive-index.ts'
import { type Archiver, type ArchiverOptions, openArchiver } from './archiver.ts'
import type { Feed } from './feeds.ts'
import { requestedEnds } from './requests.ts'

const idleMs = 100
/** So often the log's ends are read, and with them how many partitions there are. */
const endsEveryMs = 1_000

export interface FeedOptions extends Omit<ArchiverOptions, 'partition' | 'partitions' | 'feed'> {
  readonly feed: Feed
  readonly catalogue: Catalogue
  /** A round over all partitions succeeded. @param news - the log's ends were read anew */
  onRound(news: boolean): Promise<void>
  onFailure(error: unknown, failures: number): void
}

export interface RunningFeed {
  readonly archivedEnds: readonly number[]
  /** The log's ends as last read, about once a second. */
  readonly logEnds: readonly number[]
  /** Opens the archivers where the chains end. @throws ClickledgerError `archive-gap` */
  open(): Promise<void>
  /** Archives until the signal aborts; opens first what is not open yet, as often as it takes. */
  run(signal: AbortSignal): Promise<void>
}

/** Makes the loop of a feed; nothing is opened yet. */
export function createFeed(options: FeedOptions): RunningFeed {
  const { feed, log, catalogue, objects, onRound, onFailure } = options
  let archivers: readonly Archiver[] = []
  let logEnds: readonly number[] = []
  let readAt = Number.NEGATIVE_INFINITY

  /** Opens the partitions that are not open yet: all of them at first, later those that were added. */
  const open = async (): Promise<void> => {
    logEnds = await log.endOffsets(feed.topic)
    readAt = performance.now()
    const partitions = logEnds.length
    if (archivers.length >= partitions) return
    await syncIndex(catalogue, objects, partitions, feed.name)
    const opened: Archiver[] = []
    try {
      for (let partition = archivers.length; partition < partitions; partition++) {
        opened.push(await openArchiver({ ...options, partition, partitions }))
      }
    } catch (error) {
      for (const archiver of opened) await archiver.close()
      throw error
    }
    archivers = [...archivers, ...opened]
  }

  /** @returns whether anything was done, and whether the ends are new */
  const round = async () => {
    const news = performance.now() - readAt >= endsEveryMs
    if (news || archivers.length === 0) await open()
    const wanted = await requestedEnds(catalogue, archivers.length, feed.name)
    let busy = false
    for (const [partition, archiver] of archivers.entries()) {
      if (await archiver.step(wanted[partition] ?? 0)) busy = true
    }
    return { busy, news }
  }

  return {
    get archivedEnds() {
      return archivers.map((archiver) => archiver.archivedEnd)
    },
    get logEnds() {
      return logEnds
    },
    open,
    async run(signal) {
      let failures = 0
      while (!signal.aborted) {
        try {
          const { busy, news } = await round()
          await onRound(news)
          failures = 0
          if (!busy) await pause(idleMs, signal)
        } catch (error) {
          // The object store or the catalogue is away: the log keeps everything.
          onFailure(error, ++failures)
          await pause(backoffMs(failures, 30_000), signal)
        }
      }
      for (const archiver of archivers) await archiver.close()
    },
  }
}
