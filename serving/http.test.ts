import { gunzipSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import { openFixture } from './testing/fixture.ts'

test('/openapi.json is 3.1 and describes routes under /v1/', async (t) => {
  const { inject } = await openFixture(t)
  const api = (await inject({ url: '/openapi.json' })).json()
  t.regex(api.openapi, /^3\.1/)
  const paths = Object.keys(api.paths)
  for (const path of ['/v1/reports/clicks/topN', '/v1/backfills/{run_id}/approve', '/v1/live']) {
    t.true(paths.includes(path), path)
  }
  t.true(
    paths.every((path) => path.startsWith('/v1/')),
    'the page is no part of the API',
  )
  const { parameters, responses } = api.paths['/v1/reports/clicks/timeseries'].get
  const granularity = parameters.find((p: { name: string }) => p.name === 'granularity')
  t.deepEqual(granularity.schema.enum, ['minute', 'hour', 'day', 'week', 'month', 'all'])
  t.truthy(responses['400'].content['application/problem+json'])
})

test('system routes need no key; metrics count requests by route, not by path', async (t) => {
  const { inject } = await openFixture(t)
  t.is((await inject({ url: '/livez' })).statusCode, 200)
  t.is((await inject({ url: '/readyz' })).statusCode, 200)
  await inject({ url: '/v1/ads/secret-ad/metrics' }, 'admin')
  const { body } = await inject({ url: '/metrics' })
  t.regex(body, /request_seconds_count\{.*route="\/v1\/ads\/:ad_id\/metrics"/)
  t.false(body.includes('secret-ad'))
})

test('not ready while the store does not answer', async (t) => {
  const { inject, olap } = await openFixture(t)
  olap.realtime = () => Promise.reject(new Error('gone'))
  t.is((await inject({ url: '/readyz' })).statusCode, 503)
})

test('the page and the chart library are served with a strict policy', async (t) => {
  const { inject } = await openFixture(t)
  const chart = await inject({ url: '/vendor/uPlot.iife.min.js' })
  t.is(chart.statusCode, 200)
  t.regex(String(chart.headers['content-security-policy']), /script-src 'self';/)
  t.is(chart.headers['x-content-type-options'], 'nosniff')
  t.regex((await inject({ url: '/' })).body, /<html/i)
  const packed = await inject({ url: '/main.js', headers: { 'accept-encoding': 'gzip' } })
  t.is(packed.headers['content-encoding'], 'gzip')
  t.is(packed.headers['content-length'], undefined)
  t.is(gunzipSync(packed.rawPayload).toString(), (await inject({ url: '/main.js' })).body)
  t.is((await inject({ url: '/../package.json' })).statusCode, 404)
  t.is((await inject({ url: '/vendor/..%2f..%2fpackage.json' })).statusCode >= 400, true)
})

test('404, 405, 413, 414, 415 are problems with a code', async (t) => {
  const { inject } = await openFixture(t)
  const answers = [
    ['not-found', await inject({ url: '/nowhere' })],
    ['not-found', await inject({ url: '/v1/nowhere', method: 'POST' }, 'admin')],
    ['method-not-allowed', await inject({ url: '/v1/rebuilds', method: 'PUT' }, 'admin')],
    ['method-not-allowed', await inject({ url: '/v1/ads/ad-1/metrics', method: 'DELETE' })],
    ['uri-too-long', await inject({ url: `/v1/freshness?x=${'x'.repeat(9_000)}` }, 'admin')],
    [
      'payload-too-large',
      await inject({ url: '/v1/ads', method: 'POST', payload: ['x'.repeat(3_000_000)] }, 'admin'),
    ],
    [
      'unsupported-media-type',
      await inject(
        { url: '/v1/ads', method: 'POST', payload: 'x', headers: { 'content-type': 'text/csv' } },
        'admin',
      ),
    ],
    [
      'bad-request',
      await inject(
        {
          url: '/v1/keys',
          method: 'POST',
          payload: '{',
          headers: { 'content-type': 'application/json' },
        },
        'admin',
      ),
    ],
    ['bad-request', await inject({ url: '/%ff' })],
  ] as const
  for (const [code, answer] of answers) {
    t.regex(String(answer.headers['content-type']), /^application\/problem\+json/, code)
    t.is(answer.json().code, code)
    t.truthy(answer.json().fix)
    t.truthy(answer.json().request_id)
  }
  t.is(answers[2][1].headers.allow, 'POST, GET')
})

const parameters = [
  ...['start_time', 'end_time', 'granularity', 'dimensions', 'filters', 'metrics', 'time_zone'],
  ...['completeness', 'limit', 'cursor', 'dimension', 'metric', 'top_n', 'minutes', 'after'],
]
const paths = [
  '/v1/reports/clicks/timeseries',
  '/v1/reports/clicks/topN',
  '/v1/ads/ad-1/metrics',
  '/v1/ads/%00/metrics',
  '/v1/ads',
  '/v1/me',
  '/v1/freshness',
  '/v1/status',
  '/v1/rules',
  '/v1/keys',
  '/v1/publishers',
  '/v1/advertisers',
  '/v1/placements',
  '/v1/rebuilds/x',
  '/openapi.json',
  '/',
]
const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    ...[
      '',
      '0',
      '-1',
      '1e9',
      'NaN',
      'null',
      '2026-11-22',
      '2026-11-22T05:00:00+14:00',
      '0000-01-01',
    ],
    ...[
      '9999-12-31T24:00:00Z',
      'minute',
      'all',
      'country',
      'click_count',
      'country==US',
      'city=^a',
    ],
    ...["'; DROP TABLE ads; --", 'a==b;;', '\\', 'ad_id==\\', 'Europe/Berlin', 'UTC', 'final'],
    ...['WzAsMCwwLCIiXQ', 'WzFlOTksMCwwLCIiXQ', '{}', '[', '%', '\u0000', '__proto__'],
  ),
)

test('nothing that is sent makes a 5xx', async (t) => {
  const { inject, olap } = await openFixture(t)
  olap.speed.push({ event_time: Date.UTC(2026, 10, 22, 5, 1), status: 'valid', ad_id: 'ad-1' })
  t.log({ seed })
  const request = fc.record({
    path: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...paths) }, nasty.map(pathOf)),
    query: fc.dictionary(fc.oneof(fc.constantFrom(...parameters), fc.string()), nasty, {
      maxKeys: 4,
    }),
    method: fc.constantFrom('GET' as const, 'GET' as const, 'POST' as const, 'PUT' as const),
    body: fc.oneof(
      fc.json(),
      nasty,
      fc
        .dictionary(
          fc.constantFrom('role', 'slot', 'ad_id', 'rules', 'publisher_id'),
          fc.jsonValue(),
        )
        .map((value) => JSON.stringify(value)),
    ),
    type: fc.constantFrom('application/json', 'application/x-ndjson', 'text/plain', 'nonsense'),
    etag: nasty,
    as: fc.constantFrom('admin' as const, 'advertiser' as const, 'publisher' as const),
  })
  await fc.assert(
    fc.asyncProperty(request, async ({ path, query, method, body, type, etag, as }) => {
      const search = new URLSearchParams(query).toString()
      const answer = await inject(
        {
          url: `${path}?${search}`,
          method,
          headers: { 'if-none-match': Buffer.from(etag).toString('base64'), 'content-type': type },
          ...(method === 'GET' ? {} : { payload: body }),
        },
        as,
      )
      if (answer.statusCode >= 500) throw new Error(`${answer.statusCode}: ${answer.body}`)
    }),
    { seed, numRuns: 1_500 },
  )
  t.pass()
})

function pathOf(text: string): string {
  return `/${encodeURIComponent(text.toWellFormed())}`
}
