// The speed layer as it starts, on the embedded stores.
import test from 'ava'
import { createClock } from '#platform/clock.ts'
import { readSettings } from '#platform/config.ts'
import { readHeartbeats, reportHeartbeat } from '#platform/heartbeats.ts'
import { createLogger } from '#platform/log.ts'
import { openCatalogue } from '#platform/stack.ts'
import { catalogueEnv } from '../tests/support/catalogue.ts'
import { scratchDir } from '../tests/support/contract.ts'
import { runSpeedLayer } from './main.ts'

test('once it has started, nothing that an earlier process counted shows as its own', async (t) => {
  const settings = readSettings({ CLICKLEDGER_DATA_DIR: scratchDir(t), ...catalogueEnv() })
  const clock = createClock()
  const catalogue = await openCatalogue(settings)
  t.teardown(() => catalogue.close())
  const counts = { judged: 9, valid: 8, duplicate: 1, invalid: 0, copies: 7, deadLettered: 6 }
  await reportHeartbeat(catalogue, 'speed', settings.CLICKLEDGER_NODE_ID, clock.now(), {
    ...{ watermark: 1, partitions: [], judgedEnds: [], stateKeys: 5, stateFullRotations: 4 },
    counts,
  })
  const logger = createLogger('speed', process.env.TEST_LOG_LEVEL ?? 'silent')
  const speed = await runSpeedLayer({ settings, clock, logger })
  const reports = await readHeartbeats(catalogue, 'speed')
  await speed.close()
  t.is(reports.length, 1)
  t.like(reports[0]?.body, { stateKeys: 0, stateFullRotations: 0 })
  t.deepEqual(
    reports[0]?.body.counts,
    Object.fromEntries(Object.keys(counts).map((name) => [name, 0])),
  )
})
