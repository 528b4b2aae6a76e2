// The archive: clicks.raw and clicks.judged in, Parquet and manifests out. Wiring only.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type Readiness, type RunningLayer } from '#platform/layer.ts'
import { createRegistry } from '#platform/metrics.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { type Feed, judgedFeed, rawFeed } from './feeds.ts'
import { createArchiveMetrics } from './metrics.ts'
import { createFeed, type FeedOptions, type RunningFeed } from './run-feed.ts'

/** Without a successful round for longer: not ready. A flush of many clicks takes a while. */
const silentMs = 120_000

/** Runs the archive until it is closed or fails. */
export async function runArchive({ settings, clock, logger }: LayerContext): Promise<RunningLayer> {
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, clock.now)
  const objects = await openObjectStore(settings)
  const scratch = join(dataPaths(settings).scratch, 'archive')
  await rm(scratch, { recursive: true, force: true })
  const feeds = new Map<Feed, RunningFeed>()
  let succeededAt: number | undefined
  const stateOf = (feed: Feed) => ({
    archivedEnds: feeds.get(feed)?.archivedEnds ?? [],
    logEnds: feeds.get(feed)?.logEnds ?? [],
  })
  const registry = createRegistry('archive')
  const metrics = createArchiveMetrics(registry, {
    raw: () => ({ ...stateOf(rawFeed), succeededAt }),
    judged: () => stateOf(judgedFeed),
  })
  const create = (feed: Feed, more: Pick<FeedOptions, 'onRound' | 'metrics'>) => {
    const running = createFeed({
      ...{ feed, log, objects, catalogue, scratch: join(scratch, feed.name), now: clock.now },
      intervalMs: settings.CLICKLEDGER_ARCHIVE_INTERVAL,
      rowsMax: settings.CLICKLEDGER_ARCHIVE_ROWS_MAX,
      memoryBytes: settings.CLICKLEDGER_REBUILD_MEMORY,
      onFailure(error, failures) {
        metrics.failures.inc()
        const state = { err: error, topic: feed.topic, failures }
        logger.error(state, 'archiving failed; trying again')
      },
      ...more,
    })
    feeds.set(feed, running)
    return running
  }

  const raw = create(rawFeed, {
    metrics,
    async onRound(news) {
      if (news) {
        const { CLICKLEDGER_NODE_ID: node } = settings
        await reportHeartbeat(catalogue, 'archive', node, clock.now(), stateOf(rawFeed))
      }
      succeededAt = Date.now()
    },
  })
  const judged = create(judgedFeed, { onRound: async () => {} })

  // The judged archive opens in its own loop: nothing that is wrong with it stops the raw one.
  await raw.open()

  const readiness = (): Readiness => ({
    ready: succeededAt !== undefined && Date.now() - succeededAt < silentMs,
    last_success: succeededAt === undefined ? null : new Date(succeededAt).toISOString(),
  })
  const stopping = new AbortController()
  const ended = Promise.all([raw.run(stopping.signal), judged.run(stopping.signal)])
    .finally(() => Promise.all([log.close(), objects.close(), catalogue.close()]))
    .then(() => {})
  return loopLayer({ run: ended, stopping, registry, readiness })
}
