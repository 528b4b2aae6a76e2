import test from 'ava'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { boundary, openFixture } from './testing/fixture.ts'

test('no key, a wrong key, a key of another role', async (t) => {
  const { inject } = await openFixture(t)
  const none = await inject({ url: '/v1/freshness' })
  t.is(none.statusCode, 401)
  t.is(none.headers['www-authenticate'], 'Bearer')
  const wrong = await inject({
    url: '/v1/freshness',
    headers: { authorization: 'Bearer nonsense' },
  })
  t.is(wrong.statusCode, 401)
  const refused: [string, 'GET' | 'POST', 'advertiser' | 'publisher' | 'engineer'][] = [
    ['/v1/status', 'GET', 'advertiser'],
    ['/v1/ads', 'GET', 'publisher'],
    ['/v1/ads', 'POST', 'advertiser'],
    ['/v1/rules', 'GET', 'publisher'],
    ['/v1/rules', 'POST', 'engineer'],
    ['/v1/keys', 'POST', 'engineer'],
    ['/v1/publishers', 'POST', 'engineer'],
    ['/v1/advertisers', 'POST', 'engineer'],
    ['/v1/placements', 'POST', 'publisher'],
    ['/v1/rebuilds', 'POST', 'advertiser'],
    ['/v1/rebuilds', 'GET', 'advertiser'],
    ['/v1/reconciliation', 'GET', 'advertiser'],
  ]
  for (const [url, method, as] of refused) {
    const answer = await inject({ url, method }, as)
    t.is(answer.statusCode, 403, `${method} ${url} as ${as}`)
    t.is(answer.json().code, 'forbidden')
  }
})

test('a key is told whose it is', async (t) => {
  const { inject } = await openFixture(t)
  const me = async (as: 'advertiser' | 'publisher' | 'engineer') =>
    (await inject({ url: '/v1/me' }, as)).json()
  t.like(await me('advertiser'), {
    role: 'advertiser',
    advertiser_ids: ['adv-1'],
    publisher_ids: [],
  })
  t.like(await me('publisher'), { role: 'publisher', publisher_ids: ['pub-1'] })
  t.like(await me('engineer'), { role: 'engineer', advertiser_ids: [], publisher_ids: [] })
  t.is((await inject({ url: '/v1/rules' }, 'advertiser')).json().version, 1)
})

test("a tenant's key that names no tenant sees nothing", async (t) => {
  const { inject, catalogue, keys } = await openFixture(t)
  await catalogue.query("UPDATE api_keys SET advertiser_id = '' WHERE role = 'advertiser'")
  t.truthy(keys.advertiser)
  t.is((await inject({ url: '/v1/reports/clicks/timeseries' }, 'advertiser')).statusCode, 403)
})

test('ads as NDJSON and as an array; each act is in the audit log', async (t) => {
  const { inject, catalogue } = await openFixture(t)
  const payload = `${JSON.stringify({ ad_id: 'n-1', advertiser_id: 'adv-1', target_url: 'https://n.test' })}\nnonsense\n`
  const headers = { 'content-type': 'application/x-ndjson' }
  const ndjson = await inject({ url: '/v1/ads', method: 'POST', headers, payload }, 'engineer')
  t.is(ndjson.statusCode, 200)
  t.like(ndjson.json(), { upserted: 1, rejected: [{ line: 2, reason: 'bad-request' }] })
  const array = await inject(
    {
      url: '/v1/ads',
      method: 'POST',
      payload: [{ ad_id: 'n-2', advertiser_id: 'adv-9', target_url: 'https://n.test' }],
    },
    'admin',
  )
  t.deepEqual(array.json(), { upserted: 1, rejected: [] })
  const own = (await inject({ url: '/v1/ads' }, 'advertiser')).json()
  t.deepEqual(
    own.data.map((ad: { ad_id: string }) => ad.ad_id),
    ['ad-1', 'n-1'],
  )
  const page = (await inject({ url: '/v1/ads?limit=2&after=ad-1' }, 'admin')).json()
  t.is(page.next, 'n-1')
  const log = await catalogue.query<{ action: string; actor: string }>(
    'SELECT action, actor FROM audit_log ORDER BY actor',
  )
  t.is(log.length, 2)
  t.regex(log[1]?.actor ?? '', /^engineer:clk_/)
})

test('keys: shown once, work at once, tied to their tenant', async (t) => {
  const { app, inject, catalogue } = await openFixture(t)
  const make = (payload: object) => inject({ url: '/v1/keys', method: 'POST', payload }, 'admin')
  const made = await make({ role: 'advertiser', advertiser_id: 'adv-1', name: 'shop' })
  t.is(made.statusCode, 201)
  const { key, prefix } = made.json()
  t.true(key.startsWith(prefix))
  const used = await app.inject({
    url: '/v1/freshness',
    headers: { authorization: `Bearer ${key}` },
  })
  t.is(used.statusCode, 200)
  const stored = JSON.stringify([
    await catalogue.query('SELECT * FROM api_keys'),
    await catalogue.query('SELECT * FROM audit_log'),
  ])
  t.false(stored.includes(key))
  for (const wrong of [
    { role: 'advertiser' },
    { role: 'advertiser', advertiser_id: 'nobody' },
    { role: 'admin', advertiser_id: 'adv-1' },
    { role: 'publisher', publisher_id: 'nobody' },
    { role: 'root' },
    {},
  ]) {
    t.is((await make(wrong)).statusCode, 400, JSON.stringify(wrong))
  }
})

test('rules: shown, replaced by the next version, unchanged by the same', async (t) => {
  const { inject } = await openFixture(t)
  const shown = (await inject({ url: '/v1/rules' }, 'engineer')).json()
  t.is(shown.version, 1)
  t.like(shown.rules.at(-1), { id: 'ip-velocity', after: 20, window: 'PT1M' })
  const set = (payload: object) => inject({ url: '/v1/rules', method: 'POST', payload }, 'admin')
  t.is((await set(shown)).json().version, 1)
  const next = (await set({ ...shown, rules: shown.rules.slice(0, -1) })).json()
  t.is(next.version, 2)
  t.deepEqual((await inject({ url: '/v1/rules' }, 'admin')).json(), next)
  const wrong = await set({ rules: [{ id: 'x', kind: 'magic', status: 'invalid' }] })
  t.is(wrong.statusCode, 400)
  t.like(wrong.json(), { code: 'invalid-rule-set' })
  t.regex(wrong.json().detail, /^rules\[0\]\.kind/)
})

test('publishers and placements; a publisher sees the metrics of an ad it shows', async (t) => {
  const { inject, catalogue } = await openFixture(t)
  const post = (url: string, payload: object) => inject({ url, method: 'POST', payload }, 'admin')
  t.is((await post('/v1/publishers', { publisher_id: 'pub-2', name: 'Two' })).statusCode, 200)
  const placement = { slot: 'top', publisher_id: 'pub-1', ad_ids: ['ad-1'] }
  t.is((await post('/v1/placements', placement)).statusCode, 200)
  t.is((await post('/v1/placements', { ...placement, ad_ids: ['ad-9'] })).statusCode, 400)
  t.is((await post('/v1/placements', { ...placement, publisher_id: 'x' })).statusCode, 400)
  const [row] = await catalogue.query('SELECT ad_ids FROM placements')
  t.is(row?.ad_ids, '["ad-1"]')
  t.is((await inject({ url: '/v1/ads/ad-1/metrics' }, 'publisher')).statusCode, 200)
  t.is((await inject({ url: '/v1/ads/ad-2/metrics' }, 'publisher')).statusCode, 404)
  await post('/v1/advertisers', { advertiser_id: 'adv-1', signed_only: true })
  const [advertiser] = await catalogue.query(
    "SELECT signed_only, name FROM advertisers WHERE advertiser_id = 'adv-1'",
  )
  t.deepEqual({ ...advertiser }, { signed_only: 1, name: 'adv-1' })
})

test('rebuilds: a range or all that is dirty, watched until done', async (t) => {
  const orders: object[] = []
  const control = {
    startRebuild: async (order: object) => {
      orders.push(order)
      return orders.length > 2 ? undefined : `run-${orders.length}`
    },
  }
  const { inject, catalogue } = await openFixture(t, { control })
  const post = (payload: object) =>
    inject({ url: '/v1/rebuilds', method: 'POST', payload }, 'engineer')
  const range = { from: '2026-11-22T01:00:00Z', to: '2026-11-22T03:00:00Z', reason: 'why not' }
  const started = await post(range)
  t.is(started.statusCode, 202)
  t.deepEqual(started.json(), { run_id: 'run-1' })
  await post({ dirty: true })
  t.deepEqual((await post({ dirty: true })).json(), { run_id: null })
  t.deepEqual(orders[0], {
    from: Date.UTC(2026, 10, 22, 1),
    to: Date.UTC(2026, 10, 22, 3),
    reason: 'why not',
  })
  t.false('from' in (orders[1] ?? {}))
  for (const wrong of [
    { from: range.from },
    { ...range, dirty: true },
    { from: '2026-11-22T01:30:00Z', to: range.to },
    { from: range.to, to: range.from },
    { from: 'monday', to: range.to },
  ]) {
    t.is((await post(wrong)).statusCode, 400, JSON.stringify(wrong))
  }

  const hour = boundary - 3_600_000
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ('run-1', 'rebuild', 'running', 'why not', 1, 5, $1)`,
    [JSON.stringify({ hours: [hour, hour - 3_600_000] })],
  )
  await catalogue.query(
    `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies)
     VALUES ('run-1', $1, 1, 1, '[]', 5, 2, 1, 0)`,
    [hour],
  )
  const run = (await inject({ url: '/v1/rebuilds/run-1' }, 'engineer')).json()
  t.like(run, { status: 'running', hours: 2, hours_done: 1, hours_published: 0, clicks: 8 })
  t.is((await inject({ url: '/v1/rebuilds/run-9' }, 'engineer')).statusCode, 404)
  t.is((await inject({ url: '/v1/rebuilds' }, 'engineer')).json().data.length, 1)
})

test('without a batch layer a rebuild is 503', async (t) => {
  const { inject } = await openFixture(t)
  const answer = await inject({ url: '/v1/rebuilds', method: 'POST', payload: {} }, 'admin')
  t.is(answer.statusCode, 503)
})

test('status: merged totals and what the layers report', async (t) => {
  const { inject, olap, beat, catalogue } = await openFixture(t)
  const archived = (node: string, at: number, end: number) =>
    reportHeartbeat(catalogue, 'archive', node, at, { archivedEnds: [end], logEnds: [10] })
  await archived('newest', boundary + 60_000, 8)
  await archived('gone', boundary, 1)
  olap.batch.push({ event_time: boundary - 5, status: 'valid' })
  olap.speed.push(
    { event_time: boundary - 5, status: 'valid' },
    { event_time: boundary + 5, status: 'duplicate' },
    { event_time: boundary + 6, status: 'invalid' },
  )
  await beat(boundary + 60_000, [4])
  const readStatus = async () => (await inject({ url: '/v1/status' }, 'engineer')).json()
  const status = await readStatus()
  t.deepEqual(status.counts, {
    gross: 3,
    valid: 1,
    duplicate: 1,
    invalid: 1,
    copies: 3,
    dead_lettered: 2,
  })
  t.is(status.boundary, '2026-11-22T05:00:00.000Z')
  t.is(status.lags.olap.lag_records, 4)
  t.is(status.lags.archive.lag_records, 2)
  t.is(status.layers.speed[0].node, 'node-1')
  t.is(status.state, 'stalled')
  await beat(boundary + 61_000, [5])
  t.is((await readStatus()).lags.olap.lag_records, 5, 'what was reported before the question')
})

test('freshness: live once a recent watermark is visible', async (t) => {
  const { inject } = await openFixture(t)
  const before = (await inject({ url: '/v1/freshness' }, 'advertiser')).json()
  t.like(before, { state: 'starting', watermark: null, lag_seconds: null })
  const fixture = await openFixture(t)
  fixture.olap.applied = [4]
  await fixture.beat(fixture.time.now - 500, [4])
  const after = (await fixture.inject({ url: '/v1/freshness' }, 'advertiser')).json()
  t.like(after, { state: 'live', lag_seconds: 0.5, boundary_lag_seconds: 25 * 60 })
})
