import test from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import { dayMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
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

// A thread that ends while DuckDB works for it takes the whole process with it.
test('closed while it is asked: each question is answered or refused, and the process lives on', async (t) => {
  const query: ReportQuery = {
    ...{ start: 0, end: 1_000 * dayMs, boundary: 500 * dayMs, timeZone: 'UTC', limit: 1_000 },
    ...{ granularity: 'minute', dimensions: ['ad_id'], metrics: ['click_count'], filters: [] },
  }
  for (let round = 0; round < 5; round++) {
    const settings = readSettings({ CLICKLEDGER_DATA_DIR: scratchDir(t) })
    const clock = createClock()
    const log = await openEventLog(settings, clock.now)
    await log.ensureTopics(Object.values(topics), 1)
    const onFailure = (error: Error) => t.fail(error.message)
    const store = await openDuckDbStore({ settings, clock, onFailure })
    const asked = Array.from({ length: 30 }, () => store.query(query))
    await asked[round] // some have been answered, some are being worked on, some wait
    await store.close()
    for (const settled of await Promise.allSettled(asked)) {
      if (settled.status === 'fulfilled') t.deepEqual(settled.value, [])
      else t.is(settled.reason.code, 'unavailable')
    }
    await log.close()
  }
})
