// The shared cache of an ingest node: opened, counted, and told about when it comes and goes.
// Without it everything works as with it; the catalogue is asked more often.
import type { Registry } from 'prom-client'
import type { Settings } from '#platform/config.ts'
import type { Logger } from '#platform/log.ts'
import { addCounter, addGauge } from '#platform/metrics.ts'
import { loadSecrets } from '#platform/secrets.ts'
import type { SharedCache } from '#platform/shared-cache/port.ts'
import { openSharedCache } from '#platform/stack.ts'
import {
  createSharedRowCounts,
  createSharedRows,
  type SharedRowCounts,
  type ShareRows,
} from './shared-rows.ts'

export interface SharedRowsOptions {
  readonly settings: Settings
  readonly registry: Registry
  readonly logger: Logger
  /** Milliseconds since 1970. */
  now(): number
}

/** @throws ClickledgerError `invalid-settings` where the server refuses the URL's credentials */
export async function openSharedRows({ settings, registry, logger, now }: SharedRowsOptions) {
  const cache = await openSharedCache(settings, (isUp, reason) => {
    if (isUp) logger.info('the shared cache answers')
    else logger.warn({ reason }, 'no shared cache: ads are loaded from the catalogue')
  })
  const counts = createSharedRowCounts()
  if (settings.CLICKLEDGER_REDIS_URL !== '') addSharedCacheMetrics(registry, cache, counts)
  const { cacheKey: sealKey } = loadSecrets(settings)
  const share: ShareRows = createSharedRows({ cache, sealKey, counts, now })
  return { share, close: () => cache.close() }
}

export function addSharedCacheMetrics(
  registry: Registry,
  cache: Pick<SharedCache, 'isUp'>,
  counts: SharedRowCounts,
): void {
  const byResult = (name: string, help: string, results: Readonly<Record<string, number>>) =>
    addCounter(registry, { name, help, labelNames: ['result'] }, () =>
      Object.entries(results).map(([result, count]) => [{ result }, count] as const),
    )
  byResult(
    'clickledger_shared_cache_lookups_total',
    'Rows asked for in the shared cache, by what came of it; all but `hit` go to the catalogue.',
    counts.lookups,
  )
  byResult(
    'clickledger_shared_cache_stores_total',
    'Rows loaded from the catalogue and put in the shared cache, or lost on the way.',
    counts.stores,
  )
  addGauge(
    registry,
    { name: 'clickledger_shared_cache_up', help: '1 while the shared cache is connected.' },
    () => Number(cache.isUp),
  )
}
