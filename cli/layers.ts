// One layer as a process of its own, on the same data directory as the others.
import { createClock, type SharedClock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import type { RunningLayer } from '#platform/layer.ts'
import { createLogger } from '#platform/log.ts'
import { withMetricsEndpoint } from '#platform/metrics-server.ts'
import { openCatalogue } from '#platform/stack.ts'
import { prepareCatalogue } from './first-start.ts'

type LayerName = 'ingest' | 'speed' | 'archive' | 'serve'

/** Starts one layer. The first start of any prepares the catalogue and shows the key. */
export async function runLayer(name: LayerName, settings: Settings): Promise<RunningLayer> {
  const clock = createClock()
  const catalogue = await openCatalogue(settings)
  const adminKey = await prepareCatalogue(catalogue, {
    ...{ settings, now: clock.now() },
    showsKey: true,
  })
  await catalogue.close()
  if (adminKey) process.stdout.write(`API key (admin, shown once): ${adminKey}\n`)
  return withMetricsEndpoint(settings, await startLayer(name, settings, clock))
}

async function startLayer(
  name: LayerName,
  settings: Settings,
  clock: SharedClock,
): Promise<RunningLayer> {
  // Late: each process brings only what its layer needs.
  if (name === 'serve') return (await import('./serve.ts')).runServe(settings, clock)
  const { threadLayers } = await import('./threads/thread-layers.ts')
  const logger = createLogger(name, settings.CLICKLEDGER_LOG_LEVEL)
  return threadLayers[name]({ settings, clock, logger })
}
