import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { testRollupContract } from '../../tests/support/rollup-contract.ts'
import { createClock } from '../clock.ts'
import { readSettings } from '../config.ts'
import { openEventLog, openObjectStore } from '../stack.ts'
import { type OlapContract, testOlapContract } from './contract.ts'
import { openDuckDbStore } from './duckdb.ts'

const contract: OlapContract = {
  open: async (t) => {
    const settings = readSettings({ CLICKLEDGER_DATA_DIR: scratchDir(t) })
    const clock = createClock()
    const log = await openEventLog(settings, clock.now)
    const objects = await openObjectStore(settings)
    const onFailure = (error: Error) => t.fail(error.message)
    let store = await openDuckDbStore({ settings, clock, onFailure })
    t.teardown(async () => {
      await store.close()
      await log.close()
    })
    return {
      store,
      log,
      objects,
      reopen: async () => {
        await store.close()
        store = await openDuckDbStore({ settings, clock, onFailure })
        return store
      },
    }
  },
}

testOlapContract(test, 'duckdb', contract)
testRollupContract(test, 'duckdb', contract)
