import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { readSettings } from '../config.ts'
import { until } from '../wait.ts'
import { createDruidClient, type DruidError } from './druid-http.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A router that answers each POST as told, in turn; the last one stays. */
async function openDruid(t: ExecutionContext, ...answers: Answer[]) {
  const asked: string[] = []
  const cancelled: string[] = []
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    if (request.method === 'DELETE') {
      cancelled.push(request.url ?? '')
      return response.writeHead(202).end()
    }
    asked.push(JSON.parse(text).context.sqlQueryId)
    const answer = answers.length > 1 ? answers.shift() : answers[0]
    answer?.(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = createDruidClient(readSettings({ CLICKLEDGER_DRUID_URL: url, ...stackOf(t) }))
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await client.close()
  })
  return { client, url, asked, cancelled }
}

const stackOf = (_: ExecutionContext) => ({
  CLICKLEDGER_KAFKA_BROKERS: '127.0.0.1:1',
  CLICKLEDGER_S3_BUCKET: 'b',
})

const rows: Answer = (_, response) => void response.end('[["1"]]')
const status =
  (code: number): Answer =>
  (_, response) =>
    void response.writeHead(code).end('{"error":"no"}')
const reset: Answer = (request) => void request.socket.destroy()
const never: Answer = () => {}
const halfway: Answer = (request, response) => {
  response.writeHead(200)
  response.write('[["1"', () => request.socket.destroy())
}

for (const [what, first] of Object.entries({ 'a reset': reset, 'no broker': status(503) })) {
  test(`after ${what} a query is asked once more`, async (t) => {
    const { client, asked } = await openDruid(t, first, rows)
    t.deepEqual(await client.sql('SELECT 1'), [['1']])
    t.is(asked.length, 2)
  })
}

test('the second time it is asked of whom it is given then', async (t) => {
  const first = await openDruid(t, reset)
  const second = await openDruid(t, rows)
  const turns = [first.url, second.url]
  const server = async () => turns.shift() ?? ''
  t.deepEqual(await first.client.sql('SELECT 1', { server }), [['1']])
  t.deepEqual([first.asked.length, second.asked.length], [1, 1])
})

test('a query is asked twice at most', async (t) => {
  const { client, asked, cancelled } = await openDruid(t, status(503))
  await t.throwsAsync<DruidError>(client.sql('SELECT 1'), { message: /^503: no/ })
  t.is(asked.length, 2)
  t.is(cancelled.length, 0)
})

for (const [what, answer] of Object.entries({
  'began to be answered': halfway,
  'was refused': status(400),
})) {
  test(`what ${what} is not asked again`, async (t) => {
    const { client, asked } = await openDruid(t, answer)
    await t.throwsAsync(client.sql('SELECT 1'))
    t.is(asked.length, 1)
  })
}

test('what nobody waits for any more is cancelled where it was asked', async (t) => {
  const { client } = await openDruid(t, rows)
  const { url, asked, cancelled } = await openDruid(t, never)
  const gone = new AbortController()
  const query = client.sql('SELECT 1', { signal: gone.signal, server: async () => url })
  await until(() => asked[0], { what: 'asked' })
  gone.abort(new Error('gone'))
  await t.throwsAsync(query)
  await until(() => cancelled[1], { what: 'cancelled' })
  t.deepEqual(cancelled.slice(0, 2), [`/druid/v2/sql/${asked[0]}`, `/druid/v2/${asked[0]}`])
  t.is(asked.length, 1, 'and not asked again')
})
