import { readFileSync } from 'node:fs'
import test from 'ava'
import { describeServing } from '../openapi/document.ts'
import { boundary, openFixture } from '../testing/fixture.ts'
import { ApiError, createClient } from './client.ts'
import { clientOperations, typeOf } from './generate.ts'

/** The formatting apart. */
const words = (text: string) => text.match(/[\w/?{}-]+/g)?.join(' ')

test('the client is that of the routes (else: npm run docs)', async (t) => {
  const file = readFileSync(new URL('operations.ts', import.meta.url), 'utf8')
  t.true(words(file) === words(clientOperations(await describeServing())))
})

test('schemas as types', (t) => {
  t.is(typeOf({ type: ['string', 'null'] }), 'string | null')
  t.is(typeOf({ anyOf: [{ type: 'integer' }, { const: 'all' }] }), 'number | "all"')
  t.is(typeOf({ type: 'array', items: { enum: ['a', 'b'] } }), 'readonly ("a" | "b")[]')
  t.is(
    typeOf({
      ...{ type: 'object', additionalProperties: false, required: ['a'] },
      properties: { a: { type: 'string' }, 'b-c': {} },
    }),
    '{ a: string; "b-c"?: unknown }',
  )
})

test('calls, answers and problems', async (t) => {
  const { app, keys, olap } = await openFixture(t)
  olap.batch.push({
    event_time: boundary - 5,
    status: 'valid',
    ad_id: 'ad-1',
    advertiser_id: 'adv-1',
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const client = createClient({ url: `${url}/`, key: keys.advertiser })
  const { data } = await client('getReportsClicksTopN', {
    query: { dimension: 'ad_id', filters: 'country!=a&b' },
  })
  t.like(data[0], { ad_id: 'ad-1', click_count: 1, provenance: 'open' })
  const { meta } = await client('getAdsByAdIdMetrics', { path: { ad_id: 'ad-1' } })
  t.is(meta.granularity, 'hour')
  const refused = await t.throwsAsync<ApiError>(
    client('getReportsClicksTimeseries', { query: { metrics: 'clicks' } }),
    { instanceOf: ApiError, message: /^metrics: "clicks" is not one of/ },
  )
  t.like(refused, { status: 400, code: 'bad-request' })
  await t.throwsAsync(client('getStatus', {}), { message: /role engineer or admin/ })
  const admin = createClient({ url, key: keys.admin })
  t.like(await admin('postPublishers', { body: { publisher_id: 'pub-9' } }), {
    publisher_id: 'pub-9',
  })
  const gone = new AbortController()
  gone.abort()
  await t.throwsAsync(client('getFreshness', {}, { signal: gone.signal }), { name: 'AbortError' })
})
