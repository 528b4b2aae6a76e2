// A query whose client has gone is stopped in Druid, too: seen through a proxy that keeps the
// connection to Druid open, so that only what the client asks for can end it.
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { stackSettings } from '../../tests/support/stack.ts'
import { until } from '../wait.ts'
import { createDruidClient } from './druid-http.ts'

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

/** Some 10^13 rows of nothing. */
const endless = (() => {
  const values = Array.from({ length: 200 }, (_, i) => `(${i})`).join(', ')
  const table = (name: string) => `(VALUES ${values}) AS ${name}(n)`
  return `SELECT COUNT(*) FROM ${['a', 'b', 'c', 'd', 'e', 'f'].map(table).join(' CROSS JOIN ')}`
})()

test('a query that is given up is cancelled in Druid', async (t) => {
  const settings = stackSettings(t)
  const { passed, url } = await startProxy(t, settings.CLICKLEDGER_DRUID_URL)
  const client = createDruidClient({ ...settings, CLICKLEDGER_DRUID_URL: url })
  t.teardown(() => client.close())
  const leaving = new AbortController()
  const asked = client.sql(endless, { signal: leaving.signal, timeoutMs: 120_000 })
  asked.catch(() => {})
  const wait = { timeoutMs: 30_000, everyMs: 20 }
  await until(() => passed.length > 0, { ...wait, what: 'it is asked' })
  const [query] = passed
  // Druid knows a query once it has planned it.
  const known = () => client.ask({ path: '/status/health' }).then(() => query?.status === undefined)
  await until(known, { ...wait, what: 'it runs' })
  leaving.abort()
  await t.throwsAsync(asked)
  const stopped = () => query?.status !== undefined
  await until(stopped, { ...wait, what: 'Druid has ended it' })
  t.log(query?.status, query?.answer.slice(0, 200))
  t.not(query?.status, 200)
  const asks = passed.filter(({ method }) => method === 'DELETE')
  t.deepEqual(
    asks.map(({ status }) => status),
    [202],
  )
})
