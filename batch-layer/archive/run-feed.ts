// The loop over the partitions of one feed. Each feed has its own: what the judged archive waits
// for never holds up the raw one, which sealing waits for.
import type { Catalogue } from '#platform/catalogue/port.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { syncIndex } from './archive-index.ts'
import { type Archiver, type ArchiverOptions, openArchiver } from './archiver.ts'
import type { Feed } from './feeds.ts'
import { requestedEnds } from './requests.ts'

const idleMs = 100

export interface FeedOptions extends Omit<ArchiverOptions, 'partition' | 'partitions' | 'feed'> {
  readonly feed: Feed
  readonly catalogue: Catalogue
  /** A round over all partitions succeeded. */
  onRound(): Promise<void>
  onFailure(error: unknown, failures: number): void
}

export interface RunningFeed {
  readonly archivedEnds: readonly number[]
  /** Opens the archivers where the chains end. @throws ClickledgerError `archive-gap` */
  open(): Promise<void>
  /** Archives until the signal aborts; opens first what is not open yet, as often as it takes. */
  run(signal: AbortSignal): Promise<void>
}

/** Makes the loop of a feed; nothing is opened yet. */
export function createFeed(options: FeedOptions): RunningFeed {
  const { feed, log, catalogue, objects, onRound, onFailure } = options
  let archivers: Archiver[] = []

  const open = async (): Promise<void> => {
    const partitions = (await log.endOffsets(feed.topic)).length
    await syncIndex(catalogue, objects, partitions, feed.name)
    const opened: Archiver[] = []
    for (let partition = 0; partition < partitions; partition++) {
      opened.push(await openArchiver({ ...options, partition, partitions }))
    }
    archivers = opened
  }

  const round = async (): Promise<boolean> => {
    if (archivers.length === 0) await open()
    const wanted = await requestedEnds(catalogue, archivers.length, feed.name)
    let busy = false
    for (const [partition, archiver] of archivers.entries()) {
      if (await archiver.step(wanted[partition] ?? 0)) busy = true
    }
    return busy
  }

  return {
    get archivedEnds() {
      return archivers.map((archiver) => archiver.archivedEnd)
    },
    open,
    async run(signal) {
      let failures = 0
      while (!signal.aborted) {
        try {
          const busy = await round()
          await onRound()
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
