// The archive: clicks.raw in, Parquet and manifests out. Wiring only.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type Readiness, type RunningLayer } from '#platform/layer.ts'
import { createRegistry } from '#platform/metrics.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { syncIndex } from './archive-index.ts'
import { type Archiver, openArchiver } from './archiver.ts'
import { createArchiveMetrics } from './metrics.ts'
import { requestedEnds } from './requests.ts'

const idleMs = 100
const heartbeatMs = 1_000
/** Without a successful round for longer: not ready. A flush of many clicks takes a while. */
const silentMs = 120_000

/** Runs the archive until it is closed or fails. */
export async function runArchive({ settings, clock, logger }: LayerContext): Promise<RunningLayer> {
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, clock.now)
  const objects = await openObjectStore(settings)
  const scratch = join(dataPaths(settings).scratch, 'archive')
  await rm(scratch, { recursive: true, force: true })
  const partitions = (await log.endOffsets(topics.raw.name)).length
  await syncIndex(catalogue, objects, partitions)
  const archivers: Archiver[] = []
  let logEnds: readonly number[] = []
  let succeededAt: number | undefined
  const archivedEnds = () => archivers.map((archiver) => archiver.archivedEnd)
  const registry = createRegistry('archive')
  const metrics = createArchiveMetrics(registry, () => ({
    archivedEnds: archivedEnds(),
    logEnds,
    succeededAt,
  }))
  for (let partition = 0; partition < partitions; partition++) {
    archivers.push(
      await openArchiver({
        ...{ log, objects, catalogue, scratch, partition, partitions, metrics, now: clock.now },
        intervalMs: settings.CLICKLEDGER_ARCHIVE_INTERVAL,
        rowsMax: settings.CLICKLEDGER_ARCHIVE_ROWS_MAX,
        memoryBytes: settings.CLICKLEDGER_REBUILD_MEMORY,
      }),
    )
  }
  const stopping = new AbortController()

  const heartbeat = async () => {
    logEnds = await log.endOffsets(topics.raw.name)
    const { CLICKLEDGER_NODE_ID: node } = settings
    const body = { archivedEnds: archivedEnds(), logEnds }
    await reportHeartbeat(catalogue, 'archive', node, clock.now(), body)
  }

  const readiness = (): Readiness => ({
    ready: succeededAt !== undefined && Date.now() - succeededAt < silentMs,
    last_success: succeededAt === undefined ? null : new Date(succeededAt).toISOString(),
  })

  const round = async (): Promise<boolean> => {
    const wanted = await requestedEnds(catalogue, partitions)
    let busy = false
    for (const [partition, archiver] of archivers.entries()) {
      if (await archiver.step(wanted[partition] ?? 0)) busy = true
    }
    return busy
  }

  const run = async () => {
    let failures = 0
    let reportedAt = Number.NEGATIVE_INFINITY
    while (!stopping.signal.aborted) {
      try {
        const busy = await round()
        if (Date.now() - reportedAt >= heartbeatMs) {
          reportedAt = Date.now()
          await heartbeat()
        }
        succeededAt = Date.now()
        failures = 0
        if (!busy) await pause(idleMs, stopping.signal)
      } catch (error) {
        // The object store or the catalogue is away: the log keeps everything, the boundary waits.
        metrics.failures.inc()
        logger.error({ err: error, failures: ++failures }, 'archiving failed; trying again')
        await pause(backoffMs(failures, 30_000), stopping.signal)
      }
    }
  }

  const ended = run().finally(async () => {
    for (const archiver of archivers) await archiver.close()
    await Promise.all([log.close(), objects.close(), catalogue.close()])
  })
  return loopLayer({ run: ended, stopping, registry, readiness })
}
