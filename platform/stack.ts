// Chooses the adapters. Layers see only the ports; here, and nowhere else, is said what stands behind.
import { join } from 'node:path'
import { type MetricName, uniqueMetrics } from '#schemas/metrics.ts'
import { topics } from '#schemas/topics.ts'
import type { Catalogue } from './catalogue/port.ts'
import { openSqliteCatalogue } from './catalogue/sqlite.ts'
import type { SharedClock } from './clock.ts'
import type { Settings } from './config.ts'
import type { EventLog } from './event-log/port.ts'
import { openSqliteEventLog } from './event-log/sqlite.ts'
import { openDirectoryStore } from './object-store/directory.ts'
import type { ObjectStore } from './object-store/port.ts'
import { openDuckDbStore } from './olap/duckdb.ts'
import type { OlapStore } from './olap/port.ts'
import { noSharedCache } from './shared-cache/none.ts'
import type { SharedCache } from './shared-cache/port.ts'

/** Paths inside the data directory, unless a setting puts them elsewhere. */
export const dataPaths = (settings: Settings) => {
  const at = (...parts: string[]) => join(settings.CLICKLEDGER_DATA_DIR, ...parts)
  return {
    log: at('log'),
    catalogue: at('catalogue.sqlite'),
    objects: at('objects'),
    olap: at('olap'),
    wal: settings.CLICKLEDGER_WAL_DIR || at('wal'),
    scratch: at('scratch'),
    instance: at('instance.json'),
  }
}

export async function openCatalogue(settings: Settings): Promise<Catalogue> {
  const url = settings.CLICKLEDGER_POSTGRES_URL
  if (url === '') return openSqliteCatalogue({ path: dataPaths(settings).catalogue })
  // Late: without a server nobody waits for its client to be loaded.
  const { openPostgresCatalogue } = await import('./catalogue/postgres.ts')
  const namespace = settings.CLICKLEDGER_NAMESPACE
  return openPostgresCatalogue({ url, namespace, poolMax: settings.CLICKLEDGER_POSTGRES_POOL })
}

/**
 * Opens the event log and makes sure that its topics exist. With a schema registry, clicks.raw
 * bears the registry's ids. @param now - the layer's clock
 */
export async function openEventLog(settings: Settings, now: () => number): Promise<EventLog> {
  const log = await openBareEventLog(settings, now)
  try {
    await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
    if (settings.CLICKLEDGER_SCHEMA_REGISTRY_URL === '') return log
    const { registerSchemas } = await import('./schema-registry.ts')
    const { withRegistryIds } = await import('./schema-registry-log.ts')
    const ids = await registerSchemas(settings)
    return ids ? withRegistryIds(log, ids) : log
  } catch (error) {
    await log.close()
    throw error
  }
}

async function openBareEventLog(settings: Settings, now: () => number): Promise<EventLog> {
  if (settings.CLICKLEDGER_KAFKA_BROKERS.length === 0) {
    return openSqliteEventLog({ dir: dataPaths(settings).log, now })
  }
  const { openKafkaEventLog } = await import('./event-log/kafka.ts')
  return openKafkaEventLog({ settings })
}

export async function openObjectStore(settings: Settings): Promise<ObjectStore> {
  if (settings.CLICKLEDGER_S3_BUCKET === '') {
    return openDirectoryStore({ dir: dataPaths(settings).objects })
  }
  const { openS3Store } = await import('./object-store/s3.ts')
  return openS3Store({ settings })
}

/** The servers behind these settings, for people: names and addresses, no secrets. */
export function describeServers(settings: Settings): readonly string[] {
  const hostOf = (url: string) => (URL.canParse(url) ? new URL(url).host : '')
  const bucket = settings.CLICKLEDGER_S3_BUCKET
  const s3 = bucket && `${bucket} at ${hostOf(settings.CLICKLEDGER_S3_ENDPOINT) || 'AWS'}`
  const servers = {
    Kafka: settings.CLICKLEDGER_KAFKA_BROKERS.join(', '),
    Druid: hostOf(settings.CLICKLEDGER_DRUID_URL),
    S3: s3,
    PostgreSQL: hostOf(settings.CLICKLEDGER_POSTGRES_URL),
    Redis: hostOf(settings.CLICKLEDGER_REDIS_URL),
  }
  return Object.entries(servers).flatMap(([name, at]) => (at === '' ? [] : [`${name} ${at}`]))
}

/** Metrics that the OLAP store of these settings estimates (HLL sketches), not counts. */
export const approximateMetrics = (settings: Settings): readonly MetricName[] =>
  settings.CLICKLEDGER_DRUID_URL === '' ? [] : uniqueMetrics.map(({ name }) => name)

export interface OlapContext {
  readonly settings: Settings
  readonly clock: SharedClock
  /** Called when the store can work no more. */
  readonly onFailure: (error: Error) => void
}

export async function openOlapStore(context: OlapContext): Promise<OlapStore> {
  const { settings, clock } = context
  if (settings.CLICKLEDGER_DRUID_URL === '') return openDuckDbStore(context)
  const { openDruidStore } = await import('./olap/druid.ts')
  await using opened = new AsyncDisposableStack()
  const log = await openEventLog(settings, clock.now)
  opened.defer(() => log.close())
  const objects = await openObjectStore(settings)
  opened.defer(() => objects.close())
  const store = await openDruidStore({ settings, log, objects })
  opened.defer(() => store.close())
  const all = opened.move()
  return { ...store, close: () => all.disposeAsync() }
}

/**
 * The cache that ingest nodes share, where the settings name one.
 * @param onChange - told when its server comes and goes
 */
export async function openSharedCache(
  settings: Settings,
  onChange: (isUp: boolean, reason: string) => void,
): Promise<SharedCache> {
  const url = settings.CLICKLEDGER_REDIS_URL
  if (url === '') return noSharedCache
  const { openRedisCache } = await import('./shared-cache/redis.ts')
  return openRedisCache({ url, namespace: settings.CLICKLEDGER_NAMESPACE, onChange })
}
