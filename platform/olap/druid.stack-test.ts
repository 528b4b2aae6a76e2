import test, { type ExecutionContext, type TestFn } from 'ava'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { dropDruid, openDruid } from '../../tests/support/druid.ts'
import { testRollupContract } from '../../tests/support/rollup-contract.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { loadClicks, showJudged } from '../../tests/support/staged.ts'
import type { EventLog } from '../event-log/port.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { until } from '../wait.ts'
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

test.serial(
  'druid: a week that is over is one segment, until an hour of it is replaced',
  async (t) => {
    const settings = stackSettings(t)
    const { store, objects } = await openDruid(t, settings)
    const client = createDruidClient(settings)
    t.teardown(() => client.close())
    const sunday = Date.UTC(2026, 0, 11)
    const load = (run: string, hours: readonly number[]) => {
      const at = (hour: number) => ({ ...blankClick, event_time: hour, status: 'valid' as const })
      return loadClicks({ store, objects }, run, hours.map(at))
    }
    /** Lengths of the segments that are in force, in days. */
    const lengths = async () => {
      const rows = await client.sql(
        `SELECT "start", "end" FROM sys.segments WHERE datasource = '${druidNames(settings).day}'
       AND is_published = 1 AND is_overshadowed = 0 AND "start" < '2100' ORDER BY 1`,
      )
      const at = (text: unknown) => Date.parse(String(text))
      return rows.map(([start, end]) => (at(end) - at(start)) / dayMs)
    }
    const become = (expected: readonly number[]) =>
      until(async () => JSON.stringify(await lengths()) === JSON.stringify(expected), {
        everyMs: 200,
        what: `segments of ${expected} days`,
      })
    const days = Array.from({ length: 8 }, (_, i) => sunday + (i - 6) * dayMs)
    const apart = days.map(() => 1)
    await load('run-1', days)
    await become(apart)
    await store.compactBefore(sunday + dayMs - 1)
    await become(apart)
    await store.compactBefore(sunday + dayMs)
    await become([7, 1])
    await load('run-2', [sunday])
    await become(apart)
    const [all] = await store.query({
      ...{ start: sunday - dayMs, end: sunday + 2 * dayMs, boundary: sunday + 2 * dayMs },
      ...{ granularity: 'all', timeZone: 'UTC', dimensions: [], filters: [], limit: 1 },
      metrics: ['click_count'],
    })
    t.is(all?.metrics.click_count, 3)
  },
)

test.serial(
  'druid: hours of the speed view that tasks serve go later, and no load waits for it',
  async (t) => {
    const parts = await openDruid(t, stackSettings(t))
    const { store } = parts
    const hour = Date.UTC(2026, 0, 5)
    const click = { ...blankClick, event_time: hour, judged_time: hour, status: 'valid' as const }
    await showJudged(parts, [click])
    const drop = () => store.dropSpeedBefore(hour + hourMs)
    const shown = () => store.hourTotals('speed', hour, hour + hourMs)
    t.true(await drop())
    t.is((await shown()).length, 1)
    await loadClicks(parts, 'run-1', [click])
    await until(async () => !(await drop()), { everyMs: 200, what: 'the tasks have published' })
    await until(async () => (await shown()).length === 0, {
      everyMs: 100,
      what: 'the hour is gone',
    })
    t.is((await store.hourTotals('batch', hour, hour + hourMs)).length, 1)
  },
)

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
