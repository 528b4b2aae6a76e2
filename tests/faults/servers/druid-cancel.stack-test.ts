// A query whose client has gone is stopped in Druid, too, and not only when its time is up. Seen
// through a proxy that keeps the connection to Druid open: only what the client asks for can end it.
import test from 'ava'
import { createDruidClient, type DruidClient } from '#platform/olap/druid-http.ts'
import { druidNames } from '#platform/olap/druid-specs.ts'
import { until } from '#platform/wait.ts'
import { clicksOf, fill } from '../../../serving/sql/testing/rig.ts'
import { openDruid } from '../../support/druid.ts'
import { startFaultyProxy } from '../../support/faulty-proxy.ts'
import { seed } from '../../support/random-clicks.ts'
import { stackSettings, stackState, testServers } from '../../support/stack.ts'

const poll = { everyMs: 20 }

type Ask = (client: DruidClient, table: string, signal?: AbortSignal) => Promise<unknown>

const askStatement: Ask = (client, table, signal) =>
  client.sql(`SELECT COUNT(*) FROM "${table}" WHERE ad_id <> '${seed}'`, options(signal))
const asking: Readonly<Record<string, Ask>> = {
  'a statement': askStatement,
  // Told as it begins, Druid says yes and goes on: here it is told, and knows of no such statement.
  'a statement, told in vain,': askStatement,
  'a native query': (client, table, signal) =>
    client.native(
      {
        ...{ queryType: 'timeseries', dataSource: { type: 'table', name: table } },
        ...{ intervals: ['2000-01-01/2100-01-01'], granularity: 'all' },
        filter: { type: 'not', field: { type: 'in', dimension: 'ad_id', values: [seed] } },
        aggregations: [{ type: 'count', name: 'rows' }],
      },
      options(signal),
    ),
}
const options = (signal?: AbortSignal) => ({ timeoutMs: 120_000, ...(signal ? { signal } : {}) })

for (const [what, ask] of Object.entries(asking)) {
  test.serial(
    `${what} that is given up while a data node hangs is cancelled in Druid`,
    async (t) => {
      const settings = stackSettings(t)
      await fill(
        await openDruid(t, settings),
        clicksOf('mine', 40, seed),
        clicksOf('mine', 40, seed),
      )
      // Not through the router, which gives native queries the id of their statement by itself.
      const proxy = await startFaultyProxy(t, stackState().servers['druid-broker']?.port ?? 0)
      let [requests, answers] = ['', '']
      const inVain = (bytes: Buffer) =>
        Buffer.from(`${bytes}`.replace(/^(DELETE \/druid\/v2\/sql\/)\w{4}/, '$1none'))
      proxy.toServer = (bytes) => {
        requests += `${bytes}\n`
        return what.includes('in vain') ? inVain(bytes) : bytes
      }
      proxy.toClient = (bytes) => {
        answers += `${bytes}\n`
        return bytes
      }
      const methods = () => Array.from(requests.matchAll(/^([A-Z]+) \/druid/gm), ([, is]) => is)
      const statuses = () =>
        Array.from(answers.matchAll(/^HTTP\S+ (\d+)/gm), ([, is]) => Number(is))
      const client = createDruidClient({
        ...settings,
        CLICKLEDGER_DRUID_URL: `http://127.0.0.1:${proxy.port}`,
      })
      t.teardown(() => client.close())
      const table = druidNames(settings).batch
      await ask(client, table) // a broker that has just started plans for seconds
      ;[requests, answers] = ['', '']
      proxy.isQuiet = true
      const historical = testServers().server('druid-historical')
      t.teardown(() => historical.resume())
      historical.pause()
      const leaving = new AbortController()
      const asked = ask(client, table, leaving.signal)
      asked.catch(() => {})
      await until(() => methods().length > 0, { ...poll, what: 'it is asked' })
      leaving.abort()
      await t.throwsAsync(asked)
      await until(() => statuses().includes(202), { ...poll, what: 'Druid was told' })
      await until(() => answers.includes('Query cancelled'), {
        ...poll,
        what: 'Druid has ended it',
      })
      t.false(statuses().includes(200), answers)
      t.deepEqual([...new Set(methods())], ['POST', 'DELETE'])
      t.is(methods().filter((method) => method === 'POST').length, 1)
      historical.resume()
    },
  )
}
