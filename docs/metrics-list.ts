// Every metric of every layer, from the registries themselves: docs/MONITORING.md is written from
// this list, and alert rules and the dashboard are held against it.
import type { Registry } from 'prom-client'
import { addProcessMetrics, createRegistry } from '#platform/metrics.ts'
import { createArchiveMetrics } from '../batch-layer/archive/metrics.ts'
import { createRebuildMetrics } from '../batch-layer/rebuild/metrics.ts'
import { createCounters } from '../ingest/counters.ts'
import { addIngestMetrics, addWalMetrics } from '../ingest/metrics.ts'
import { addSharedCacheMetrics } from '../ingest/shared-cache.ts'
import { createSharedRowCounts } from '../ingest/shared-rows.ts'
import { createServingMetrics } from '../serving/metrics.ts'
import { createSpeedMetrics } from '../speed-layer/metrics.ts'

export interface ListedMetric {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

/** Never called: the list is about names, nothing is read. */
const nothing = (): never => {
  throw new Error('metrics are listed, not read')
}

const parts: Readonly<Record<string, (registry: Registry) => void>> = {
  ingest(registry) {
    addIngestMetrics(registry, createCounters())
    addWalMetrics(registry, nothing, nothing)
    addSharedCacheMetrics(registry, { isUp: false }, createSharedRowCounts())
  },
  speed: (registry) => void createSpeedMetrics(registry, nothing),
  archive: (registry) => void createArchiveMetrics(registry, { raw: nothing, judged: nothing }),
  rebuild: (registry) => void createRebuildMetrics(registry),
  serving: (registry) =>
    void createServingMetrics(registry, {
      ...{ facts: nothing, health: nothing, liveClients: nothing, queries: nothing, now: nothing },
      nodeSilenceMs: 0,
    }),
}

const listed = (registry: Registry): ListedMetric[] =>
  // prom-client's type of a listed metric leaves its labels out.
  registry.getMetricsAsArray() as unknown as ListedMetric[]

/** Metrics that every layer has. */
export const layerMetrics: readonly ListedMetric[] = listed(createRegistry('any'))
const isOwn = ({ name }: ListedMetric) => !layerMetrics.some((every) => every.name === name)

/** Metrics that every process has once. */
export const processMetrics: readonly ListedMetric[] = (() => {
  const registry = createRegistry('any')
  addProcessMetrics(registry, '.')
  return listed(registry).filter(isOwn)
})()

/** Layer -> metrics of its own. */
export const metricsByLayer: Readonly<Record<string, readonly ListedMetric[]>> = Object.fromEntries(
  Object.entries(parts).map(([layer, add]) => {
    const registry = createRegistry(layer)
    add(registry)
    return [layer, listed(registry).filter(isOwn)]
  }),
)

export const allMetrics: readonly ListedMetric[] = [
  ...layerMetrics,
  ...processMetrics,
  ...Object.values(metricsByLayer).flat(),
]
