// Whatever comes in over HTTP, the answer is no 5xx and the node goes on. Requests are written on
// plain sockets, because HTTP clients refuse to send most of what is interesting.

import { connect } from 'node:net'
import test from 'ava'
import fc from 'fast-check'
import { clickJsonFields } from '#schemas/click-json.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { clicksInLog, makeKey, newSettings, startIngest } from './test-support.ts'

const answerTimeoutMs = 10_000
/** Some requests have no end: then the client gives up. */
const patienceMs = 200

/** Sends bytes and waits for the end of the connection. @returns the status; 0: none came */
function send(port: number, bytes: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(port, '127.0.0.1')
    const status = () => Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1] ?? 0)
    const giveUp = setTimeout(() => socket.end(), patienceMs)
    const fail = setTimeout(() => reject(new Error('no end of the connection')), answerTimeoutMs)
    const done = () => {
      clearTimeout(giveUp)
      clearTimeout(fail)
      resolve(status())
    }
    socket.on('data', (data) => {
      received += data.toString('latin1')
      socket.end()
    })
    socket.on('error', done)
    socket.on('close', done)
    socket.write(bytes)
  })
}

const hostile = fc.constantFrom(
  '%00',
  '%0d%0aset-cookie:%20x=1',
  '%ff%fe',
  '%E0%A4%A',
  '..%2f..%2fetc',
  '__proto__',
  'constructor',
  '{click_id}',
  '%7Bclick_id%7D',
  'javascript:alert(1)',
  'https://evil.example',
  '//evil.example',
  'https:\\\\evil.example',
  '\u00e9',
  "'; DROP TABLE ads; --",
  'a'.repeat(200),
  '-1',
  '1e309',
  '99999999999999999999',
)
const word = fc.oneof(
  hostile,
  fc.string({ maxLength: 20 }),
  fc.constantFrom('ad-1', 'ad-2', 'ad-bad', ''),
)
const path = fc.oneof(
  fc.constantFrom('/click/ad-1', '/ads/ad-2'),
  fc.tuple(fc.constantFrom('/click/', '/ads/', '/placements/', '/'), word).map((p) => p.join('')),
  fc.constantFrom(
    '/track/click',
    '/track/click_event',
    '/import/clicks',
    '/readyz',
    '/metrics',
    '*',
  ),
)
const parameter = fc.constantFrom(
  'ad_id',
  'redirect_url',
  'publisher_id',
  'impression_id',
  'user_id',
  'iat',
  'exp',
  'kid',
  'sig',
  'gdpr',
  'gdpr_consent',
  '__proto__',
  'x',
)
const pair = fc.oneof(
  fc
    .tuple(parameter, word)
    .map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`),
  fc.tuple(parameter, hostile).map((parts) => parts.join('=')),
)
const query = fc.array(pair, { maxLength: 6 })
const headerName = fc.constantFrom(
  'User-Agent',
  'Referer',
  'X-Forwarded-For',
  'Sec-Purpose',
  'Sec-GPC',
  'Authorization',
  'Content-Type',
  'Content-Encoding',
  'Expect',
  'Transfer-Encoding',
  'Connection',
  'Upgrade',
  'Cookie',
)
const usualHeader = fc
  .tuple(fc.constantFrom('User-Agent', 'Referer', 'X-Forwarded-For', 'Sec-Purpose'), word)
  .map(([name, value]) => `${name}: ${encodeURI(value.toWellFormed())}`)
const header = fc.oneof(
  { weight: 4, arbitrary: usualHeader },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        headerName,
        fc.oneof(word, fc.constantFrom('application/json', '8.8.8.8, 10.0.0.1', 'chunked')),
      )
      .map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, '')}`),
  },
)

const fieldName = fc.constantFrom<string>(...clickJsonFields, '__proto__', 'other')
const fieldValue = fc.oneof(
  word,
  fc.constant('ad-1'),
  fc.constant(Date.now()),
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(word, word, { maxKeys: 3 }),
)
const clickJson = fc.dictionary(fieldName, fieldValue, { maxKeys: 6 }).map((fields) => ({
  ad_id: 'ad-1', // often right, so that the rest is looked at
  ...fields,
}))
const body = fc.oneof(
  fc.constant(''),
  fc.string(),
  clickJson.map((c) => JSON.stringify(c)),
  fc.array(clickJson, { maxLength: 5 }).map((list) => JSON.stringify(list)),
  fc.array(clickJson, { maxLength: 5 }).map((clicks) => JSON.stringify({ clicks })),
  fc.jsonValue().map((value) => JSON.stringify(value)),
)
const method = fc.constantFrom(
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'PUT',
  'DELETE',
  'OPTIONS',
  'TRACE',
)

test('no request brings a 5xx or a crash', async (t) => {
  const settings = await newSettings(t, { CLICKLEDGER_RATE_LIMIT: '0' })
  const node = await startIngest(t, settings)
  const port = Number(new URL(node.url).port)
  const keys = [undefined, await makeKey(settings, { role: 'admin' })]
  t.log(`seed ${seed}`)
  const statuses = new Map<number, number>()
  const request = fc.record({
    method,
    path,
    query,
    headers: fc.array(header, { maxLength: 5 }),
    body,
    key: fc.constantFrom(...keys),
  })
  await fc.assert(
    fc.asyncProperty(request, async (r) => {
      const target = [r.path, r.query.join('&')].filter((part) => part !== '').join('?')
      const isJson = r.method === 'POST' && !r.headers.some((h) => h.startsWith('Content-Type'))
      const lines = [
        `${r.method} ${target} HTTP/1.1`,
        'Host: x',
        'Connection: close',
        ...r.headers,
        ...(isJson ? ['Content-Type: application/json'] : []),
        ...(r.key ? [`Authorization: ${r.key}`] : []),
        ...(r.body === '' ? [] : [`Content-Length: ${Buffer.byteLength(r.body)}`]),
      ]
      const status = await send(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${r.body}`))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      t.true(status < 500, `${status}: ${lines.join(' | ')} ${r.body}`)
    }),
    { seed, numRuns: 1500 },
  )
  t.log(Object.fromEntries([...statuses].sort()))
  for (const status of [200, 302, 400, 404, 405])
    t.true((statuses.get(status) ?? 0) > 0, `${status}`)
  t.is((await node.get('/livez')).status, 200)
  // What was accepted is readable: nothing hostile got through to break a decoder.
  const metrics = await (await node.get('/metrics')).text()
  const accepted = [...metrics.matchAll(/clicks_accepted_total\{[^}]*\} (\d+)/g)].map((m) =>
    Number(m[1]),
  )
  const total = accepted.reduce((a, b) => a + b, 0)
  t.true(total > 0)
  t.is((await clicksInLog(settings, total)).length, total)
})

test('bytes that are no HTTP', async (t) => {
  const settings = await newSettings(t)
  const node = await startIngest(t, settings)
  const port = Number(new URL(node.url).port)
  t.log(`seed ${seed}`)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
      t.true((await send(port, Buffer.from(bytes))) < 500)
    }),
    { seed, numRuns: 100 },
  )
  t.is((await node.get('/livez')).status, 200)
})
