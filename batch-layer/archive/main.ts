// The archive: clicks.raw in, Parquet and manifests out. Wiring only.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type RunningLayer } from '#platform/layer.ts'
import { dataPaths, openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { syncIndex } from './archive-index.ts'
import { type Archiver, openArchiver } from './archiver.ts'
import { requestedEnds } from './requests.ts'

const idleMs = 100
const heartbeatMs = 1_000

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
  for (let partition = 0; partition < partitions; partition++) {
    archivers.push(
      await openArchiver({
        ...{ log, objects, catalogue, scratch, partition, partitions, now: clock.now },
        intervalMs: settings.CLICKLEDGER_ARCHIVE_INTERVAL,
        rowsMax: settings.CLICKLEDGER_ARCHIVE_ROWS_MAX,
        memoryBytes: settings.CLICKLEDGER_REBUILD_MEMORY,
      }),
    )
  }
  const stopping = new AbortController()

  const heartbeat = async () =>
    reportHeartbeat(catalogue, 'archive', settings.CLICKLEDGER_NODE_ID, clock.now(), {
      archivedEnds: archivers.map((archiver) => archiver.archivedEnd),
      logEnds: await log.endOffsets(topics.raw.name),
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
        failures = 0
        if (!busy) await pause(idleMs, stopping.signal)
      } catch (error) {
        // The object store or the catalogue is away: the log keeps everything, the boundary waits.
        logger.error({ err: error, failures: ++failures }, 'archiving failed; trying again')
        await pause(backoffMs(failures, 30_000), stopping.signal)
      }
    }
  }

  const done = run().finally(async () => {
    for (const archiver of archivers) await archiver.close()
    await Promise.all([log.close(), objects.close(), catalogue.close()])
  })
  return loopLayer(done, stopping)
}
