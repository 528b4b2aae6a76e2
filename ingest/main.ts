// Ingest: HTTP in, raw clicks out. Wiring only: what is opened here is closed in reverse order.
import type { AddressInfo } from 'node:net'
import { isMainThread } from 'node:worker_threads'
import { createKeyUse } from '#platform/key-use.ts'
import type { LayerContext, RunningLayer } from '#platform/layer.ts'
import { addProcessMetrics, createRegistry } from '#platform/metrics.ts'
import { openCatalogue } from '#platform/stack.ts'
import { createApp } from './app.ts'
import { createCounters } from './counters.ts'
import { checkEventLog } from './event-log-at-start.ts'
import { startHeartbeat } from './heartbeat.ts'
import { closeServer, listen, monotonic } from './lifecycle.ts'
import { addIngestMetrics, addWalMetrics, walStateOf } from './metrics.ts'
import { openSharedRows } from './shared-cache.ts'
import { openWal } from './wal/wal.ts'
import type { CommitReport } from './wal/writer.ts'

/** Starts an ingest node. @throws ClickledgerError `invalid-settings`, `already-running` */
export async function runIngest({ settings, clock, logger }: LayerContext): Promise<RunningLayer> {
  const registry = createRegistry('ingest')
  if (isMainThread) addProcessMetrics(registry, settings.CLICKLEDGER_DATA_DIR)
  const counters = createCounters()
  const countCommit = addIngestMetrics(registry, counters)
  let isDiskFailing = false
  const onCommit = (report: CommitReport) => {
    countCommit(report)
    // One line for each change: a disk that fails for an hour fails every second.
    if (isDiskFailing === (report.failure !== undefined)) return
    isDiskFailing = !isDiskFailing
    if (isDiskFailing) logger.error({ err: report.failure }, 'clicks could not be written to disk')
    else logger.info('clicks are written to disk again')
  }

  await using opening = new AsyncDisposableStack() // undoes a start that fails half-way
  const catalogue = opening.adopt(await openCatalogue(settings), (c) => c.close())
  const now = monotonic(() => clock.now())
  const keyUse = opening.adopt(createKeyUse(catalogue, now), (use) => use.close())
  const shared = opening.adopt(await openSharedRows({ settings, registry, logger, now }), (s) =>
    s.close(),
  )
  await checkEventLog(settings, logger)
  const wal = opening.adopt(await openWal({ settings, clock, logger, onCommit }), (w) => w.close())
  const bytesMax = settings.CLICKLEDGER_WAL_BYTES_MAX
  addWalMetrics(registry, () => walStateOf(wal, bytesMax), clock.now)

  let url = ''
  let isClosing = false
  const { server, readiness } = createApp({
    settings,
    catalogue,
    wal,
    registry,
    counters,
    now,
    share: shared.share,
    url: () => url,
    isClosing: () => isClosing,
    logger,
    onKeyUse: keyUse.note,
    onFault: (error) => logger.error({ err: error }, 'a request failed'),
  })
  await listen(server, settings.CLICKLEDGER_INGEST_PORT, settings.CLICKLEDGER_HOST)
  url = urlOf(server.address() as AddressInfo)
  const heartbeat = startHeartbeat({ wal, counters, url, now: () => clock.now() })
  logger.info({ url }, 'ingest listens')

  const opened = opening.move()
  const closed = Promise.withResolvers<void>()
  const close = async () => {
    if (isClosing) return closed.promise
    isClosing = true
    await closeServer(server)
    await wal.drain()
    heartbeat.stop() // the last report says what is left
    await opened.disposeAsync()
    closed.resolve()
  }
  return {
    url,
    done: Promise.race([closed.promise, wal.failed]),
    metrics: () => registry.metrics(),
    readiness,
    close,
  }
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
