// Every route that exists, by role: who gets in, and which act leaves which mark in the audit log. The
// routes come from the server itself, so a new one that is not in the tables here fails.
import test from 'ava'
import type { InjectOptions } from 'fastify'
import { boundary, type Fixture, openFixture } from '../testing/fixture.ts'

const hour = 3_600_000
const iso = (time: number) => new Date(time).toISOString()

/** a: advertiser, p: publisher, e: engineer, A: admin; open: no key needed. */
const expected: Readonly<Record<string, string>> = {
  'POST /druid/v2/sql': 'apeA',
  'POST /druid/v2/sql/': 'apeA',
  'GET /status': 'open',
  'GET /*': 'open',
  'GET /livez': 'open',
  'GET /metrics': 'open',
  'GET /readyz': 'open',
  'GET /v1/ads': 'aeA',
  'POST /v1/ads': 'eA',
  'POST /v1/ads:bulk': 'eA',
  'GET /v1/ads/:ad_id': 'aeA',
  'PUT /v1/ads/:ad_id': 'eA',
  'PATCH /v1/ads/:ad_id': 'eA',
  'DELETE /v1/ads/:ad_id': 'eA',
  'GET /v1/ads/:ad_id/metrics': 'apeA',
  'GET /v1/advertisers': 'aeA',
  'POST /v1/advertisers': 'A',
  'GET /v1/advertisers/:advertiser_id': 'aeA',
  'PUT /v1/advertisers/:advertiser_id': 'A',
  'PATCH /v1/advertisers/:advertiser_id': 'A',
  'DELETE /v1/advertisers/:advertiser_id': 'A',
  'GET /v1/audit': 'A',
  'GET /v1/backfills': 'eA',
  'POST /v1/backfills': 'eA',
  'GET /v1/backfills/:run_id': 'eA',
  'POST /v1/backfills/:run_id/approve': 'eA',
  'POST /v1/backfills/:run_id/cancel': 'eA',
  'POST /v1/backfills/:run_id/resume': 'eA',
  'POST /v1/backfills/:run_id/rollback': 'eA',
  'GET /v1/boundary': 'eA',
  'GET /v1/campaigns': 'aeA',
  'GET /v1/campaigns/:campaign_id': 'aeA',
  'PUT /v1/campaigns/:campaign_id': 'eA',
  'PATCH /v1/campaigns/:campaign_id': 'eA',
  'DELETE /v1/campaigns/:campaign_id': 'eA',
  'GET /v1/clicks/:event_id': 'aeA',
  'GET /v1/dead-letters': 'eA',
  'GET /v1/dead-letters/:id': 'eA',
  'POST /v1/dead-letters/replay': 'eA',
  'GET /v1/freshness': 'apeA',
  'GET /v1/keys': 'A',
  'POST /v1/keys': 'A',
  'DELETE /v1/keys/:key_id': 'A',
  'POST /v1/keys/:key_id/rotate': 'A',
  'GET /v1/live': 'apeA',
  'GET /v1/me': 'apeA',
  'GET /v1/placements': 'peA',
  'POST /v1/placements': 'eA',
  'GET /v1/placements/:slot': 'peA',
  'PUT /v1/placements/:slot': 'eA',
  'PATCH /v1/placements/:slot': 'eA',
  'DELETE /v1/placements/:slot': 'eA',
  'GET /v1/publishers': 'peA',
  'POST /v1/publishers': 'A',
  'GET /v1/publishers/:publisher_id': 'peA',
  'PUT /v1/publishers/:publisher_id': 'A',
  'PATCH /v1/publishers/:publisher_id': 'A',
  'DELETE /v1/publishers/:publisher_id': 'A',
  'GET /v1/rebuilds': 'eA',
  'POST /v1/rebuilds': 'eA',
  'GET /v1/rebuilds/:run_id': 'eA',
  'GET /v1/reconciliation': 'eA',
  'POST /v1/rehearsals': 'eA',
  'GET /v1/reports/clicks/timeseries': 'apeA',
  'GET /v1/reports/clicks/topN': 'apeA',
  'GET /v1/restatements': 'aeA',
  'GET /v1/rules': 'aeA',
  'POST /v1/rules': 'A',
  'GET /v1/status': 'eA',
  'GET /vendor/*': 'open',
}

const letters = { advertiser: 'a', publisher: 'p', engineer: 'e', admin: 'A' } as const
const roles = ['advertiser', 'publisher', 'engineer', 'admin'] as const

/** Static files bring their own HEAD. */
const entriesOf = ({ routes }: Fixture) =>
  routes
    .filter(({ method }) => method !== 'HEAD')
    .map((entry) => ({ ...entry, name: `${entry.method} ${entry.url.replaceAll('::', ':')}` }))

test('every route says who may use it, and the table here says the same', async (t) => {
  const fixture = await openFixture(t)
  const found = entriesOf(fixture).map(({ name, roles: allowed }) => [
    name,
    allowed
      ? roles.flatMap((role) => (allowed.includes(role) ? letters[role] : [])).join('')
      : 'open',
  ])
  t.deepEqual(Object.fromEntries(found), expected)
})

test('every route lets in exactly those', async (t) => {
  const fixture = await openFixture(t)
  const { inject } = fixture
  for (const { name, method, url } of entriesOf(fixture)) {
    if (expected[name] === 'open' || name === 'GET /v1/live') continue
    const path = url.replaceAll(/(?<!:):\w+/g, 'nothing-of-the-kind').replaceAll('::', ':')
    const request = { url: path, method: method as 'GET' }
    const none = await inject(request)
    t.is(none.statusCode, 401, `${name} without a key`)
    // Druid's clients read Druid's words.
    if (url.startsWith('/v1/')) t.is(none.json().code, 'unauthorized')
    for (const role of roles) {
      const { statusCode } = await inject(request, role)
      t.not(statusCode, 401, `${name} as ${role}`)
      t.is(statusCode !== 403, (expected[name] ?? '').includes(letters[role]), `${name} as ${role}`)
    }
  }
})

const json = (
  payload: object | string,
  headers = {},
): Pick<InjectOptions, 'payload' | 'headers'> => ({
  ...{ payload, headers },
})
const ifMatch = { 'if-match': '*' }
const ad = { advertiser_id: 'adv-1', target_url: 'https://a.test/new' }
const placement = { publisher_id: 'pub-1', ad_ids: ['ad-1'] }
const range = { from: iso(boundary - 2 * hour), to: iso(boundary - hour) }
const rules = { rules: [{ id: 'robots', kind: 'mark', mark: 'bot-user-agent', status: 'invalid' }] }

interface Act extends Pick<InjectOptions, 'payload' | 'headers'> {
  readonly path?: string
  readonly action: string
}

/** One request for every route that changes something, and the act it is recorded as. */
const acts: Readonly<Record<string, Act>> = {
  'POST /v1/ads': { ...json([{ ...ad, ad_id: 'ad-1' }]), action: 'ads.upsert' },
  'POST /v1/ads:bulk': {
    ...json(JSON.stringify({ ...ad, ad_id: 'ad-1' }), { 'content-type': 'application/x-ndjson' }),
    action: 'ads.bulk',
  },
  'PUT /v1/ads/:ad_id': { ...json(ad, ifMatch), path: '/v1/ads/ad-1', action: 'ads.replace' },
  'PATCH /v1/ads/:ad_id': {
    ...json({ name: 'Shoe' }, ifMatch),
    ...{ path: '/v1/ads/ad-1', action: 'ads.change' },
  },
  'DELETE /v1/ads/:ad_id': { path: '/v1/ads/ad-1', action: 'ads.archive' },
  'POST /v1/advertisers': { ...json({ advertiser_id: 'adv-1' }), action: 'advertisers.upsert' },
  'PUT /v1/advertisers/:advertiser_id': {
    ...json({ name: 'Nine' }),
    ...{ path: '/v1/advertisers/adv-9', action: 'advertisers.create' },
  },
  'PATCH /v1/advertisers/:advertiser_id': {
    ...json({ name: 'One' }, ifMatch),
    ...{ path: '/v1/advertisers/adv-1', action: 'advertisers.change' },
  },
  'DELETE /v1/advertisers/:advertiser_id': {
    ...{ path: '/v1/advertisers/adv-1', action: 'advertisers.archive' },
  },
  'POST /v1/backfills': { ...json({ ...range, reason: 'why not' }), action: 'backfill.start' },
  'POST /v1/backfills/:run_id/approve': {
    ...{ path: '/v1/backfills/waits/approve', action: 'backfill.approve' },
  },
  'POST /v1/backfills/:run_id/cancel': {
    ...{ path: '/v1/backfills/planned/cancel', action: 'backfill.cancel' },
  },
  'POST /v1/backfills/:run_id/resume': {
    ...{ path: '/v1/backfills/broken/resume', action: 'backfill.resume' },
  },
  'POST /v1/backfills/:run_id/rollback': {
    ...json({ reason: 'wrong' }),
    ...{ path: '/v1/backfills/done/rollback', action: 'backfill.rollback' },
  },
  'PUT /v1/campaigns/:campaign_id': {
    ...json({ advertiser_id: 'adv-1' }),
    ...{ path: '/v1/campaigns/c-9', action: 'campaigns.create' },
  },
  'PATCH /v1/campaigns/:campaign_id': {
    ...json({ name: 'Spring' }, ifMatch),
    ...{ path: '/v1/campaigns/c-1', action: 'campaigns.change' },
  },
  'DELETE /v1/campaigns/:campaign_id': { path: '/v1/campaigns/c-1', action: 'campaigns.archive' },
  'POST /v1/dead-letters/replay': { ...json({ ids: ['0-9'] }), action: 'dead-letters.replay' },
  'POST /v1/keys': { ...json({ role: 'engineer' }), action: 'keys.create' },
  'DELETE /v1/keys/:key_id': { path: '/v1/keys/key_of_test', action: 'keys.revoke' },
  'POST /v1/keys/:key_id/rotate': { path: '/v1/keys/key_of_test/rotate', action: 'keys.rotate' },
  'POST /v1/placements': { ...json({ ...placement, slot: 'top' }), action: 'placements.upsert' },
  'PUT /v1/placements/:slot': {
    ...json(placement),
    ...{ path: '/v1/placements/side', action: 'placements.create' },
  },
  'PATCH /v1/placements/:slot': {
    ...json({ ad_ids: ['ad-1', 'ad-2'] }, ifMatch),
    ...{ path: '/v1/placements/slot-1', action: 'placements.change' },
  },
  'DELETE /v1/placements/:slot': {
    ...{ path: '/v1/placements/slot-1', action: 'placements.archive' },
  },
  'POST /v1/publishers': { ...json({ publisher_id: 'pub-1' }), action: 'publishers.upsert' },
  'PUT /v1/publishers/:publisher_id': {
    ...json({}, ifMatch),
    ...{ path: '/v1/publishers/pub-1', action: 'publishers.replace' },
  },
  'PATCH /v1/publishers/:publisher_id': {
    ...json({ name: 'One' }, ifMatch),
    ...{ path: '/v1/publishers/pub-1', action: 'publishers.change' },
  },
  'DELETE /v1/publishers/:publisher_id': {
    ...{ path: '/v1/publishers/pub-1', action: 'publishers.archive' },
  },
  'POST /v1/rebuilds': { ...json(range), action: 'rebuild.start' },
  'POST /v1/rehearsals': { ...json({ ...range, rules }), action: 'rules.rehearse' },
  'POST /v1/rules': { ...json(rules), action: 'rules.set' },
}

/** As the batch layer does, for which the answer to a new run waits. */
const takeRuns = ({ catalogue }: Fixture) =>
  catalogue
    .query("UPDATE runs SET status = 'running' WHERE status = 'planned' AND run_id <> 'planned'")
    .catch(() => {})

/** A key, a placement, and runs in every state that an act needs. */
async function prepare({ catalogue }: Fixture): Promise<void> {
  await catalogue.query("UPDATE api_keys SET key_id = 'key_of_test' WHERE role = 'publisher'")
  await catalogue.query(
    `INSERT INTO placements (slot, publisher_id, ad_ids, created_at)
     VALUES ('slot-1', 'pub-1', '["ad-1"]', 1)`,
  )
  const states = [
    ['waits', 'awaiting-approval'],
    ['planned', 'planned'],
    ['broken', 'interrupted'],
    ['done', 'done'],
  ] as const
  for (const [id, status] of states) {
    await catalogue.query(
      `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
       VALUES ($1, 'backfill', $2, 'test', 1, 1, '{"hours":[]}')`,
      [id, status],
    )
  }
  await catalogue.query(
    `INSERT INTO run_hours (run_id, hour, rule_set, archive_version, files, valid, duplicate, invalid, copies, published_at)
     VALUES ('done', $1, 1, 1, '[]', 1, 0, 0, 0, 5)`,
    [boundary - hour],
  )
  await catalogue.query(
    `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
     VALUES ($1, 'done', 1, 1, 5)`,
    [boundary - hour],
  )
}

for (const [name, { path, action, ...request }] of Object.entries(acts)) {
  test(`${name} writes one row into the audit log`, async (t) => {
    const fixture = await openFixture(t, { control: { startRebuild: async () => 'run-1' } })
    await prepare(fixture)
    const [method, url = ''] = name.split(' ')
    const sent = { ...request, method: method as 'GET', url: path ?? url }
    const batchLayer = setInterval(() => void takeRuns(fixture), 20)
    const answer = await fixture.inject(sent, 'admin').finally(() => clearInterval(batchLayer))
    t.true(answer.statusCode < 400, `${answer.statusCode} ${answer.body}`)
    const rows = await fixture.catalogue.query('SELECT action, actor FROM audit_log')
    t.deepEqual(
      rows.map((row) => row.action),
      [action],
    )
    t.regex(String(rows[0]?.actor), /^admin:clk_/)
  })
}

test('every route that changes something is tried above', async (t) => {
  const changing = entriesOf(await openFixture(t))
    // A statement of SQL comes by POST and changes nothing.
    .filter(({ method, url }) => !['GET', 'OPTIONS'].includes(method) && url.startsWith('/v1/'))
    .map(({ name }) => name)
  t.deepEqual(changing.sort(), Object.keys(acts).sort())
})
