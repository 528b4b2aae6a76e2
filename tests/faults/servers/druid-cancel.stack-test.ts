// A query whose client has gone is stopped in Druid, too, and not only when its time is up: seen through a proxy that keeps the
// connection to Druid open, so that only what the client asks for can end it.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { createDruidClient } from '#platform/olap/druid-http.ts'
import { druidNames } from '#platform/olap/druid-specs.ts'
import { until } from '#platform/wait.ts'
import { clicksOf, fill } from '../../../serving/sql/testing/rig.ts'
import { openDruid } from '../../support/druid.ts'
import { seed } from '../../support/random-clicks.ts'
import { stackSettings, testServers } from '../../support/stack.ts'

const wait = { timeoutMs: 60_000, everyMs: 20 }

interface Passed {
  readonly method: string
  status: number | undefined
  answer: string
}

/** Passes requests on, also those whose client has gone. */
async function startProxy(t: ExecutionContext, target: string) {
  const passed: Passed[] = []
  const server = createServer((from, to) => {
    const one: Passed = { method: from.method ?? '', status: undefined, answer: '' }
    passed.push(one)
    const { method, headers } = from
    const on = request(new URL(from.url ?? '/', target), { method, headers }, (response) => {
      to.writeHead(response.statusCode ?? 502)
      response.on('data', (chunk: Buffer) => {
        one.answer += chunk.toString()
        to.write(chunk)
      })
      response.once('end', () => {
        one.status = response.statusCode
        to.end()
      })
    })
    on.once('error', () => to.destroy())
    from.pipe(on)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return { passed, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test.serial('a query that is given up while a data node hangs is cancelled in Druid', async (t) => {
  const settings = stackSettings(t)
  await fill(await openDruid(t, settings), clicksOf('mine', 40, seed), clicksOf('mine', 40, seed))
  const { passed, url } = await startProxy(t, settings.CLICKLEDGER_DRUID_URL)
  const client = createDruidClient({ ...settings, CLICKLEDGER_DRUID_URL: url })
  t.teardown(() => client.close())
  const sql = `SELECT COUNT(*) FROM "${druidNames(settings).batch}" WHERE ad_id <> '${seed}'`
  await client.sql(sql) // a broker that has just started plans for seconds
  passed.length = 0
  const historical = testServers().server('druid-historical')
  t.teardown(() => historical.resume())
  historical.pause()
  const leaving = new AbortController()
  const asked = client.sql(sql, { signal: leaving.signal, timeoutMs: 120_000 })
  asked.catch(() => {})
  await until(() => passed.length > 0, { ...wait, what: 'it is asked' })
  leaving.abort()
  await t.throwsAsync(asked)
  const query = passed[0]
  await until(() => query?.status !== undefined, { ...wait, what: 'Druid has ended it' })
  t.not(query?.status, 200, query?.answer)
  await until(() => passed.at(-1)?.status === 202, { ...wait, what: 'Druid was told' })
  t.true(passed.slice(1).every(({ method }) => method === 'DELETE'))
})
