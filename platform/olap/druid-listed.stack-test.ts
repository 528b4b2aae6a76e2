// Nobody would miss a segment that the list of published ones does not have yet, and the list may be old: so
// until it has them, nothing is said to be shown. Seen through a proxy that keeps the list empty.
import test from 'ava'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { openDruid } from '../../tests/support/druid.ts'
import { startFaultyProxy } from '../../tests/support/faulty-proxy.ts'
import { stackSettings, stackState } from '../../tests/support/stack.ts'
import { loadClicks, showJudged } from '../../tests/support/staged.ts'
import { until } from '../wait.ts'
import { createDruidClient } from './druid-http.ts'
import type { SupervisorStatus } from './druid-realtime.ts'
import { submitSupervisor } from './druid-setup.ts'
import { druidNames } from './druid-specs.ts'

const poll = { everyMs: 200 }
const hour = Date.UTC(2026, 0, 1)
const click = { ...blankClick, event_time: hour, status: 'valid' as const }

test.serial('druid: what the list of published segments has not yet is not shown', async (t) => {
  const direct = stackSettings(t)
  const proxy = await startFaultyProxy(t, stackState().servers['druid-router']?.port ?? 0)
  let isListEmpty = false
  proxy.toServer = (bytes) =>
    isListEmpty
      ? Buffer.from(
          bytes.toString('latin1').replace('is_overshadowed = 0', 'is_overshadowed = 1'),
          'latin1',
        )
      : bytes
  const CLICKLEDGER_DRUID_URL = `http://127.0.0.1:${proxy.port}`
  const parts = await openDruid(t, { ...direct, CLICKLEDGER_DRUID_URL })
  const { store } = parts
  const loads = await loadClicks(parts, 'run-1', [click])
  isListEmpty = true
  t.deepEqual(await store.loadedHours(loads), [])
  isListEmpty = false
  t.deepEqual(await store.loadedHours(loads), [hour])

  const ends = await showJudged(parts, [click, { ...click, event_time: hour + 1 }])
  const client = createDruidClient(direct)
  t.teardown(() => client.close())
  const path = `/druid/indexer/v1/supervisor/${druidNames(direct).speed}/status`
  isListEmpty = true
  await submitSupervisor({ client, settings: direct }) // its tasks publish, and the next ones begin
  const areTheNext = async () => {
    const { payload } = (await client.ask({ path })) as { payload: SupervisorStatus }
    const { activeTasks, publishingTasks } = payload
    const starts = activeTasks.flatMap(({ startingOffsets }) => Object.values(startingOffsets))
    const all = ends.reduce((sum, end) => sum + end, 0)
    return publishingTasks.length === 0 && starts.reduce((sum, at) => sum + at, 0) === all
  }
  await until(areTheNext, { ...poll, what: 'the next tasks begin where the first ones ended' })
  t.deepEqual(
    (await store.realtime()).applied,
    ends.map(() => 0),
  )
  isListEmpty = false
  await until(async () => `${(await store.realtime()).applied}` === `${ends}`, {
    ...{ ...poll, what: 'what is listed counts' },
  })
})
