import test from 'ava'
import { until } from '#platform/wait.ts'
import { limits } from '#schemas/limits.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { boundary, type Fixture, openFixture, startNow } from '../testing/fixture.ts'
import type { NaiveClick } from '../testing/naive-olap.ts'
import { publishRun } from '../testing/publish.ts'

const timeseries = '/v1/reports/clicks/timeseries'
const topN = '/v1/reports/clicks/topN'

const click = (event_time: number, fields: Partial<NaiveClick> = {}): NaiveClick => ({
  event_time,
  status: 'valid',
  advertiser_id: 'adv-1',
  ad_id: 'ad-1',
  country: 'US',
  ...fields,
})

function fill({ olap }: Fixture) {
  olap.batch.push(
    click(boundary - 2 * hourMs, { visitor: 'v1' }),
    click(boundary - hourMs, { visitor: 'v1' }),
    click(boundary - hourMs + 1, { status: 'duplicate', country: 'IL' }),
    click(boundary + 5, { country: 'WRONG: batch never answers above the boundary' }),
  )
  olap.speed.push(
    click(boundary - 5, { country: 'WRONG: speed never answers below the boundary' }),
    click(boundary, { visitor: 'v1' }),
    click(boundary + minuteMs, { visitor: 'v2', advertiser_id: 'adv-2', ad_id: 'ad-2' }),
    click(boundary + 20 * minuteMs, { status: 'invalid', visitor: 'v3' }),
  )
}

test('merges both views at the boundary, hour by hour, with provenance', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const answer = (await fixture.inject({ url: timeseries }, 'admin')).json()
  t.like(answer.meta, { granularity: 'hour', boundary: '2026-11-22T05:00:00.000Z', next: null })
  t.deepEqual(answer.data, [
    row('2026-11-22T03:00:00.000Z', [1, 1, 0, 0], 'final'),
    row('2026-11-22T04:00:00.000Z', [1, 2, 1, 0], 'final'),
    row('2026-11-22T05:00:00.000Z', [2, 3, 0, 1], 'open'),
  ])
})

function row(
  time: string,
  [click_count, gross, duplicate, fraudulent]: number[],
  provenance: string,
) {
  return {
    time,
    click_count,
    gross_click_count: gross,
    duplicate_click_count: duplicate,
    fraudulent_click_count: fraudulent,
    provenance,
  }
}

test('a minute is provisional once the watermark has passed its end, and open before', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  await fixture.beat(boundary + 2 * minuteMs, [7])
  fixture.olap.applied = [7]
  const url = `${timeseries}?granularity=minute&start_time=2026-11-22T05:00:00Z&metrics=click_count`
  const { data, meta } = (await fixture.inject({ url }, 'admin')).json()
  t.is(meta.watermark, '2026-11-22T05:02:00.000Z')
  t.deepEqual(
    data.map((r: { provenance: string }) => r.provenance),
    ['provisional', 'provisional', 'open'],
  )
})

test('uniques are counted over the whole bucket, across the boundary', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const url = `${timeseries}?granularity=all&metrics=unique_user_count&filters=ad_id==ad-1`
  const { data } = (await fixture.inject({ url }, 'admin')).json()
  t.is(data.length, 1)
  t.is(data[0].unique_user_count, 1)
})

test('final stops at the boundary and says so', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const { data, meta } = (
    await fixture.inject({ url: `${timeseries}?completeness=final` }, 'admin')
  ).json()
  t.is(meta.end_time, '2026-11-22T05:00:00.000Z')
  t.deepEqual([...new Set(data.map((r: { provenance: string }) => r.provenance))], ['final'])
  t.is(data.length, 2)
  const above = `${timeseries}?completeness=final&start_time=2026-11-22T05:10:00Z&end_time=2026-11-22T05:20:00Z`
  t.deepEqual((await fixture.inject({ url: above }, 'admin')).json().data, [])
})

test('an advertiser sees its own clicks only, whatever it asks for', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  for (const extra of ['', '&filters=advertiser_id==adv-1', '&filters=advertiser_id!=adv-2']) {
    const url = `${timeseries}?granularity=all&dimensions=advertiser_id${extra}`
    const { data } = (await fixture.inject({ url }, 'other')).json()
    t.deepEqual(
      data.map((r: { advertiser_id: string }) => r.advertiser_id),
      extra === '' ? ['adv-2'] : [],
    )
  }
  const url = `${topN}?dimension=ad_id`
  t.deepEqual(
    (await fixture.inject({ url }, 'advertiser'))
      .json()
      .data.map((r: { ad_id: string }) => r.ad_id),
    ['ad-1'],
  )
  t.deepEqual((await fixture.inject({ url }, 'publisher')).json().data, [])
  for (const query of fixture.olap.queries) {
    t.true(query.filters.some(({ dimension }) => /^(advertiser|publisher)_id$/.test(dimension)))
  }
})

test('metrics of a foreign ad and of an unknown one are the same 404', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const own = await fixture.inject({ url: '/v1/ads/ad-1/metrics?granularity=all' }, 'advertiser')
  t.is(own.statusCode, 200)
  t.is(own.json().data[0].click_count, 3)
  const foreign = await fixture.inject({ url: '/v1/ads/ad-2/metrics' }, 'advertiser')
  const unknown = await fixture.inject({ url: '/v1/ads/ad-9/metrics' }, 'advertiser')
  t.is(foreign.statusCode, 404)
  const { request_id: a, ...foreignBody } = foreign.json()
  const { request_id: b, ...unknownBody } = unknown.json()
  t.not(a, b)
  t.deepEqual(foreignBody, unknownBody)
  t.is((await fixture.inject({ url: '/v1/ads/ad-2/metrics' }, 'admin')).statusCode, 200)
  t.is((await fixture.inject({ url: '/v1/ads/ad-1/metrics' }, 'publisher')).statusCode, 404)
})

test('topN ranks by the metric and needs no paging', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const url = `${topN}?dimension=country&metric=gross_click_count&top_n=1&metrics=click_count`
  const { data, meta } = (await fixture.inject({ url }, 'admin')).json()
  t.is(meta.next, null)
  t.like(data[0], { country: 'US', gross_click_count: 5, click_count: 4 })
  t.is(data.length, 1)
})

test('filters: in, not in, prefix, and, escapes', async (t) => {
  const fixture = await openFixture(t)
  fixture.olap.speed.push(
    click(boundary, { city: 'Washington, D.C.', campaign_id: 'summer-1' }),
    click(boundary, { city: 'Haifa', campaign_id: 'summer-2', country: 'IL' }),
    click(boundary, { city: '', campaign_id: 'winter' }),
  )
  const counts: [string, number][] = [
    ['city==Washington\\, D.C.', 1],
    ['city==Washington\\, D.C.,Haifa', 2],
    ['city==', 1],
    ['campaign_id=^summer', 2],
    ['campaign_id=^summer;country!=IL', 1],
    ['campaign_id=^sum,win', 3],
  ]
  for (const [filters, expected] of counts) {
    const { data } = (
      await fixture.inject({ url: timeseries, query: { granularity: 'all', filters } }, 'admin')
    ).json()
    t.is(data[0]?.click_count, expected, filters)
  }
})

test('ETag: 304 while nothing changed; another when clicks come, runs are published, B moves', async (t) => {
  const fixture = await openFixture(t)
  await fixture.beat(startNow, [0]) // while nothing is proven, no tag is good for a second time
  fill(fixture)
  const url = `${timeseries}?start_time=2026-11-22T03:00:00Z&end_time=2026-11-22T06:00:00Z`
  const settled = `${timeseries}?start_time=2026-11-22T03:00:00Z&end_time=2026-11-22T05:00:00Z`
  const tagOf = async (at: string) =>
    String((await fixture.inject({ url: at }, 'admin')).headers.etag)
  const ask = async (at: string, tag: string) =>
    (await fixture.inject({ url: at, headers: { 'if-none-match': tag } }, 'admin')).statusCode
  const tag = await tagOf(url)
  const settledTag = await tagOf(settled)
  t.is(await ask(url, tag), 304)
  t.is(await ask(url, `"x", ${tag}`), 304)
  t.is(await ask(settled, settledTag), 304)

  fixture.olap.applied = [1]
  // Facts are shared for 200 ms.
  await until(async () => (await ask(url, tag)) === 200, { what: 'new clicks seen' })
  t.is(await ask(settled, settledTag), 304, 'they change nothing below it')

  await publishRun(fixture, 'run-1', boundary - hourMs)
  t.is(await ask(settled, settledTag), 200, 'a rebuilt hour changes its own range')
  const { meta } = (await fixture.inject({ url: settled }, 'admin')).json()
  t.like(meta.runs[0], { run_id: 'run-1', rule_set: 1, hours: 1 })
})

test('hours that are published for the first time count once they are, whatever the store shows', async (t) => {
  const fixture = await openFixture(t)
  const midnight = boundary - (boundary % dayMs)
  const [before, first, second] = [midnight - 20 * hourMs, midnight - 18 * hourMs, midnight]
  fixture.olap.batch.push(...[before, first, second].map((hour) => click(hour)))
  const iso = (time: number) => new Date(time).toISOString()
  const range = `start_time=${iso(midnight - dayMs)}&end_time=${iso(boundary)}`
  const counted = async (): Promise<number[]> => {
    const answer = await fixture.inject({ url: `${timeseries}?${range}` }, 'admin')
    const { data } = answer.json() as { data: { time: string; click_count: number }[] }
    return data.filter((row) => row.click_count > 0).map((row) => Date.parse(row.time))
  }
  const end = (run: string) =>
    fixture.catalogue.query("UPDATE runs SET status = 'done' WHERE run_id = $1", [run])
  t.deepEqual(await counted(), [before, first, second])
  await publishRun(fixture, 'run-1', before)
  await publishRun(fixture, 'run-2', first, 'publishing')
  await publishRun(fixture, 'run-3', second, 'publishing')
  t.deepEqual(await counted(), [before], 'of both days, what is published')
  await end('run-3')
  t.deepEqual(await counted(), [before, second])
  await end('run-2')
  t.deepEqual(await counted(), [before, first, second])
})

test('while nothing is proven, what is above the boundary is degraded, and nothing else', async (t) => {
  const fixture = await openFixture(t)
  const ask = async (query = '') => {
    const answer = await fixture.inject({ url: `${timeseries}${query}` }, 'admin')
    return answer.json().meta.degraded
  }
  t.true(await ask())
  const below = new Date(boundary - 5 * hourMs).toISOString()
  t.false(await ask(`?start_time=${below}&completeness=final`))
  await fixture.beat(startNow, [0])
  await until(async () => !(await ask()), { what: 'the watermark is proven' })
})

test('a store that shows less than before: degraded, nothing proven, and a tag of its own', async (t) => {
  const fixture = await openFixture(t)
  await fixture.beat(startNow, [4])
  fixture.olap.applied = [4]
  fixture.olap.speed.push({ event_time: boundary + 5, status: 'valid', ad_id: 'ad-1' })
  const ask = async (metrics: string) => {
    const answer = await fixture.inject({ url: timeseries, query: { metrics } }, 'admin')
    return { etag: answer.headers.etag, ...answer.json() }
  }
  const whole = await ask('gross_click_count')
  t.like(whole.meta, { degraded: false, watermark: new Date(startNow).toISOString() })
  t.is(whole.data[0].provenance, 'open')
  // Gone while the query runs: the facts of before cannot tell.
  fixture.olap.before = async () => {
    fixture.olap.applied = [3]
  }
  t.like((await ask('gross_click_count')).meta, { degraded: false }, 'kept from before')
  const less = await ask('click_count')
  t.like(less.meta, { degraded: true, watermark: null })
  fixture.olap.before = undefined
  fixture.olap.applied = [4]
  const again = await ask('click_count')
  t.like(again.meta, { degraded: false }, 'what misses clicks is not kept')
  t.not(again.etag, less.etag)
  t.is((await ask('gross_click_count')).etag, whole.etag)
})

test('days are cut in the time zone, and times without an offset are of that zone', async (t) => {
  const fixture = await openFixture(t)
  fixture.olap.batch.push(
    click(Date.UTC(2026, 9, 24, 22, 30)),
    click(Date.UTC(2026, 9, 25, 22, 30)),
  )
  const query = {
    granularity: 'day',
    time_zone: 'Europe/Berlin',
    start_time: '2026-10-25',
    end_time: '2026-10-26',
    metrics: 'click_count',
  }
  const { data, meta } = (await fixture.inject({ url: timeseries, query }, 'admin')).json()
  t.is(meta.start_time, '2026-10-25T00:00:00.000+02:00')
  t.is(meta.end_time, '2026-10-26T00:00:00.000+01:00')
  t.deepEqual(data, [
    { time: '2026-10-25T00:00:00.000+02:00', click_count: 2, provenance: 'final' },
  ])
})

test('a range of too many buckets is refused before any store is asked', async (t) => {
  const fixture = await openFixture(t)
  const url = `${timeseries}?granularity=minute&start_time=2020-01-01&end_time=2026-01-01`
  const answer = await fixture.inject({ url }, 'admin')
  t.is(answer.statusCode, 422)
  t.like(answer.json(), { code: 'query-too-large' })
  t.regex(answer.json().detail, new RegExp(`${limits.reportRowsMax}.*coarser`))
  t.is(fixture.olap.queries.length, 0)
})

const wrong: [string, RegExp][] = [
  ['?start_time=yesterday', /^start_time: "yesterday"/],
  ['?start_time=2026-02-30', /^start_time/],
  ['?start_time=2026-11-22T05:00:00Z&end_time=2026-11-22T05:00:00Z', /before end_time/],
  ['?granularity=second', /^granularity must be .*minute, hour/],
  ['?dimensions=colour', /^dimensions: "colour" is not one of advertiser_id/],
  ['?metrics=clicks', /^metrics: "clicks" is not one of click_count/],
  ['?filters=country', /^filters: "country" should look like/],
  ['?filters=colour==red', /^filters: "colour"/],
  ['?time_zone=Mars/Base', /^time_zone/],
  ['?time_zone=%2B02:00', /^time_zone/],
  ['?limit=0', /^limit must be >= 1/],
  ['?limit=many', /^limit must be integer/],
  ['?limit=50001', /^limit must be <= 50000/],
  ['?completness=final', /^unknown parameter or field completness/],
  ['?completeness=full', /^completeness must be .*latest, final/],
  ['?granularity=day&granularity=hour', /^granularity/],
]
for (const [query, detail] of wrong) {
  test(`says what is wrong: ${query}`, async (t) => {
    const { inject } = await openFixture(t)
    const answer = await inject({ url: `${timeseries}${query}` }, 'admin')
    t.is(answer.statusCode, 400)
    t.regex(String(answer.headers['content-type']), /^application\/problem\+json/)
    t.is(answer.json().code, 'bad-request')
    t.regex(answer.json().detail, detail)
  })
}

test('a failing store is 503 with Retry-After, a slow one 504', async (t) => {
  const fixture = await openFixture(t, { queryTimeoutMs: 30 })
  fixture.olap.before = () => Promise.reject(new Error('secret path /var/olap'))
  const failed = await fixture.inject({ url: timeseries }, 'admin')
  t.is(failed.statusCode, 503)
  t.truthy(failed.headers['retry-after'])
  t.false(failed.body.includes('secret'))
  const release = Promise.withResolvers<void>()
  fixture.olap.before = () => release.promise
  const slow = await fixture.inject({ url: timeseries }, 'admin')
  t.is(slow.statusCode, 504)
  release.resolve()
})

test('what is no longer kept by minute is refused, and answered by hour', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  await fixture.catalogue.query(
    'INSERT INTO dropped_days (grain, day, recorded_at) VALUES ($1, $2, $3)',
    ['minute', boundary - (boundary % dayMs), 0],
  )
  const ask = (granularity: string) =>
    fixture.inject({ url: timeseries, query: { granularity } }, 'admin')
  const refused = await ask('minute')
  t.is(refused.statusCode, 422)
  t.like(refused.json(), { code: 'not-kept' })
  t.regex(refused.json().detail, /needs rows by minute/)
  t.is((await ask('hour')).statusCode, 200)
})
