import test, { type ExecutionContext, type TestFn } from 'ava'
import { dropDruid, openDruid } from '../../tests/support/druid.ts'
import { testRollupContract } from '../../tests/support/rollup-contract.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import type { EventLog } from '../event-log/port.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { type OlapContract, testOlapContract } from './contract.ts'
import { openDruidStore } from './druid.ts'
import { createDruidClient } from './druid-http.ts'
import { druidNames } from './druid-specs.ts'

// One after the other: each takes task slots of Druid.
const contract: OlapContract = {
  open: async (t: ExecutionContext) => {
    const settings = stackSettings(t)
    const parts = await openDruid(t, settings)
    let { store } = parts
    return {
      ...parts,
      reopen: async () => {
        await store.close()
        store = await openDruidStore({ settings, ...parts })
        t.teardown(() => store.close())
        return store
      },
    }
  },
  // Druid compares texts as Java does, by UTF-16 code units.
  sortKey: (text) => Buffer.from(text, 'utf16le').swap16().toString('hex'),
}
testOlapContract(test.serial as TestFn, 'druid', contract)
testRollupContract(test.serial as TestFn, 'druid', contract)

test.serial('druid: opened again, the supervisor stays as it is', async (t) => {
  const settings = stackSettings(t)
  const parts = await openDruid(t, settings)
  const again = await openDruidStore({ settings, ...parts })
  t.teardown(() => again.close())
  const client = createDruidClient(settings)
  t.teardown(() => client.close())
  const { speed } = druidNames(settings)
  const versions = await client.ask({ path: `/druid/indexer/v1/supervisor/${speed}/history` })
  t.is((versions as unknown[]).length, 1)
})

test.serial('druid: what is wrong at the start is told with the setting', async (t) => {
  const settings = stackSettings(t, { CLICKLEDGER_DRUID_URL: 'http://127.0.0.1:1' })
  const parts = { log: {} as EventLog, objects: {} as ObjectStore }
  const gone = await t.throwsAsync(openDruidStore({ settings, ...parts }))
  t.regex(gone?.message ?? '', /CLICKLEDGER_DRUID_URL: Druid does not answer.*ECONNREFUSED/)
  const kafka = stackSettings(t, { CLICKLEDGER_DRUID_KAFKA_BROKERS: '127.0.0.1:1' })
  t.teardown(() => dropDruid(kafka))
  const unreached = await t.throwsAsync(openDruidStore({ settings: kafka, ...parts }))
  t.regex(unreached?.message ?? '', /does not reach .*CLICKLEDGER_DRUID_KAFKA_BROKERS/)
})
