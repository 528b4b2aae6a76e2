// The embedded OLAP store for tests of the gateway.
import type { ExecutionContext } from 'ava'
import { createClock } from '#platform/clock.ts'
import { readSettings } from '#platform/config.ts'
import { openDuckDbStore } from '#platform/olap/duckdb.ts'
import { openEventLog, openObjectStore } from '#platform/stack.ts'
import { scratchDir } from '../../../tests/support/contract.ts'
import type { LoadParts } from './rig.ts'

export async function openEmbedded(t: ExecutionContext): Promise<LoadParts> {
  const settings = readSettings({ CLICKLEDGER_DATA_DIR: scratchDir(t) })
  const clock = createClock()
  const log = await openEventLog(settings, clock.now)
  const objects = await openObjectStore(settings)
  const onFailure = (error: Error) => t.fail(error.message)
  const store = await openDuckDbStore({ settings, clock, onFailure })
  t.teardown(async () => {
    await store.close()
    await log.close()
  })
  return { store, log, objects }
}
