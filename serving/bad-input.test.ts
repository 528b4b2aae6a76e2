// What clients get wrong: each parameter has its own message, which names it and shows what is right;
// whatever it is, the answer is a 4xx, soon.
import test from 'ava'
import { dimensionNames } from '#schemas/dimensions.ts'
import { describeServing, operationsOf } from './openapi/document.ts'
import { openFixture } from './testing/fixture.ts'

const timeseries = '/v1/reports/clicks/timeseries'
const topN = '/v1/reports/clicks/topN'

/** URL, and what the detail must say: the parameter, and a value that would do. */
const urls: readonly (readonly [string, RegExp])[] = [
  [`${timeseries}?start_time=yesterday`, /^start_time: "yesterday".*2026-11-22T05:00:00Z/],
  [`${timeseries}?end_time=9999-12-31`, /^end_time: "9999-12-31".*1970 to 2100.*2026-11-22T05/],
  [`${timeseries}?end_time=-1`, /^end_time: "-1".*2026-11-22T05/],
  [
    `${timeseries}?start_time=2026-11-22T06:00:00Z&end_time=2026-11-22T05:00:00Z`,
    /^start_time must be before end_time/,
  ],
  [
    `${timeseries}?start_time=2026-11-22T05:00:00.000Z&end_time=2026-11-22T05:00:00.001Z`,
    /^end_time: .*a minute.*2026-11-22T05:01:00/,
  ],
  [
    `${timeseries}?start_time=1990-01-01&end_time=2026-01-01&granularity=month`,
    /^start_time and end_time are 13149 days apart; the limit is 3660/,
  ],
  [
    `${timeseries}?limit=50000&dimensions=${dimensionNames.join()}&metrics=click_count`,
    /^limit: 50000 rows of \d+ columns.*limit=\d+/,
  ],
  [`${timeseries}?granularity=fortnight`, /^granularity must be.*minute, hour, day/],
  [`${timeseries}?time_zone=Europe`, /^time_zone: "Europe".*Europe\/Berlin/],
  [`${timeseries}?dimensions=colour`, /^dimensions: "colour" is not one of advertiser_id/],
  [`${timeseries}?metrics=clicks`, /^metrics: "clicks" is not one of click_count/],
  [`${timeseries}?filters=country`, /^filters: "country" should look like country==US,IL/],
  [`${timeseries}?filters=colour==red`, /^filters: "colour" is not one of advertiser_id/],
  [`${timeseries}?filters=country==${'a'.repeat(300)}`, /^filters: a value of country is too long/],
  [`${timeseries}?completeness=some`, /^completeness must be.*latest, final/],
  [`${timeseries}?limit=0`, /^limit must be >= 1, such as \d+/],
  [`${timeseries}?limit=true`, /^limit must be integer, such as \d+/],
  [`${timeseries}?limit=1e3`, /^limit must be integer/],
  [`${timeseries}?cursor=zzz`, /^cursor: .*`meta.next`/],
  [`${timeseries}?colour=red`, /unknown parameter or field colour/],
  [topN, /dimension/],
  [`${topN}?dimension=colour`, /^dimension must be.*advertiser_id/],
  [`${topN}?dimension=ad_id&top_n=1001`, /^top_n must be <= 1000/],
  [`${topN}?dimension=ad_id&metric=all`, /^metric must be.*click_count/],
  ['/v1/live?minutes=0', /^minutes must be >= 1/],
  ['/v1/restatements?since=now', /^since: .*such as 1200/],
  ['/v1/reconciliation?from=a&to=b', /from and to.*such as 2026-11-22T05:00:00Z/],
  ['/v1/dead-letters/one', /id/],
]

for (const [url, detail] of urls) {
  test(`refuses ${url.slice(0, 90)}`, async (t) => {
    const { inject } = await openFixture(t)
    const answer = await inject({ url }, 'admin')
    const { code } = answer.json()
    t.is(answer.statusCode, code === 'query-too-large' ? 422 : 400)
    t.true(['bad-request', 'query-too-large'].includes(code), code)
    t.regex(answer.json().detail, detail)
  })
}

test('no value of any parameter of any route is a fault of ours, and a refusal names it', async (t) => {
  const { inject } = await openFixture(t)
  const values = [
    '',
    '\u0000',
    "';--",
    '-1',
    '9'.repeat(40),
    'true',
    '[]',
    '\ud800',
    'x'.repeat(600),
  ]
  const operations = operationsOf(await describeServing()).filter(
    ({ method, path }) => method === 'get' && path !== '/v1/live',
  )
  for (const { path, operation } of operations) {
    const { parameters = [] } = operation
    const given = Object.fromEntries(
      parameters
        .filter(({ required }) => required)
        .map(({ name, example, examples, schema }) => {
          const [first] = Object.values(examples ?? {}) as { value?: unknown }[]
          const shown =
            example ?? first?.value ?? first ?? (schema?.enum as string[] | undefined)?.[0]
          return [name, String(shown ?? 'x')]
        }),
    )
    for (const { name } of parameters.filter((one) => one.in === 'query')) {
      for (const value of values) {
        const url = path.replace(/\{(\w+)\}/g, (_, part: string) => given[part] ?? 'x')
        const inQuery = Object.entries(given).filter(([one]) => !path.includes(`{${one}}`))
        const query = { ...Object.fromEntries(inQuery), [name]: value.toWellFormed() }
        const { statusCode, body } = await inject({ url, query }, 'admin')
        const at = `${path} ${name}=${JSON.stringify(value.slice(0, 20))}: ${statusCode} ${body}`
        // The fixture has no archive to look clicks up in.
        if (statusCode >= 500 && statusCode !== 503) t.fail(at)
        if (statusCode === 400 && !JSON.parse(body).detail.includes(name)) t.fail(at)
      }
    }
  }
  t.true(operations.length > 10)
})

test('filters of 100 kB, many and long ones: a 4xx at once', async (t) => {
  const { app, keys } = await openFixture(t)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const ask = async (filters: string) => {
    const headers = { authorization: `Bearer ${keys.admin}` }
    const answer = await fetch(`${url}${timeseries}?filters=${filters}`, { headers })
    const { code } = (await answer.json()) as { code: string }
    return [answer.status, answer.headers.get('content-type')?.split(';')[0], code]
  }
  const problem = 'application/problem+json'
  t.deepEqual(await ask(`country==${'a'.repeat(100_000)}`), [414, problem, 'uri-too-long'])
  t.deepEqual(await ask(`country==${'a'.repeat(9_000)}`), [414, problem, 'uri-too-long'])
  const many = dimensionNames.map((name) => `${name}!=x`)
  t.deepEqual(await ask([...many, ...many].join(';')), [400, problem, 'bad-request'])
  t.deepEqual(await ask(`country==${'a,'.repeat(300)}`), [400, problem, 'bad-request'])
})

test('a body that is none: a 4xx with a reason', async (t) => {
  const { inject } = await openFixture(t)
  const post = async (payload: string | object, type = 'application/json') => {
    const headers = { 'content-type': type }
    const answer = await inject({ method: 'POST', url: '/v1/keys', payload, headers }, 'admin')
    return [answer.statusCode, answer.json().code, answer.json().detail]
  }
  t.deepEqual((await post('{"role":')).slice(0, 2), [400, 'bad-request'])
  t.deepEqual((await post('role=admin', 'text/plain')).slice(0, 2), [415, 'unsupported-media-type'])
  t.deepEqual((await post(`"${'x'.repeat(3_000_000)}"`)).slice(0, 2), [413, 'payload-too-large'])
  const [status, , detail] = await post({ role: 'owner' })
  t.is(status, 400)
  t.regex(detail, /^role must be.*advertiser, publisher, engineer, admin/)
})
