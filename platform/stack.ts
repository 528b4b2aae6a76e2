// Chooses the adapters. Layers see only the ports; here, and nowhere else, is said what stands behind.
import { join } from 'node:path'
import { topics } from '#schemas/topics.ts'
import type { Catalogue } from './catalogue/port.ts'
import { openSqliteCatalogue } from './catalogue/sqlite.ts'
import type { Settings } from './config.ts'
import type { EventLog } from './event-log/port.ts'
import { openSqliteEventLog } from './event-log/sqlite.ts'
import { openDirectoryStore } from './object-store/directory.ts'
import type { ObjectStore } from './object-store/port.ts'

/** Paths inside the data directory. */
export const dataPaths = (settings: Settings) => {
  const at = (...parts: string[]) => join(settings.CLICKLEDGER_DATA_DIR, ...parts)
  return {
    log: at('log'),
    catalogue: at('catalogue.sqlite'),
    objects: at('objects'),
    olap: at('olap'),
    wal: at('wal'),
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

/** Opens the event log and makes sure that its topics exist. @param now - the layer's clock */
export async function openEventLog(settings: Settings, now: () => number): Promise<EventLog> {
  const log = await openSqliteEventLog({ dir: dataPaths(settings).log, now })
  await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
  return log
}

export function openObjectStore(settings: Settings): Promise<ObjectStore> {
  return openDirectoryStore({ dir: dataPaths(settings).objects })
}
