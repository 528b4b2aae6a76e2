import { rename, rm, writeFile } from 'node:fs/promises'
import test from 'ava'
import { buildClickUrl, signClick } from '#core/signing.ts'
import { readHeartbeats } from '#platform/heartbeats.ts'
import { dataPaths, openCatalogue } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { limits } from '#schemas/limits.ts'
import {
  browser,
  clicksInLog,
  jsonOf,
  makeKey,
  newSettings,
  startIngest,
  target,
} from './test-support.ts'
import { readCursor } from './wal/cursor.ts'

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600
const signable = (ad_id: string, expires_at = inAnHour()) => ({
  ad_id,
  publisher_id: 'pub-1',
  impression_id: 'imp-1',
  issued_at: 1,
  expires_at,
})

test('a redirect: target filled, facts stamped, nothing personal kept', async (t) => {
  const settings = await newSettings(t)
  const { get, close } = await startIngest(t, settings)
  const answer = await get('/click/ad-1?publisher_id=p&impression_id=i-1&user_id=jo&sub=7', {
    referer: 'https://news.example/',
  })
  t.is(answer.status, 302)
  const id = answer.headers.get('x-click-id') ?? ''
  t.is(answer.headers.get('location'), `https://shop.example/?c=${id}&i=i-1`)
  t.is(answer.headers.get('cache-control'), 'no-store')
  t.is(answer.headers.get('x-content-type-options'), 'nosniff')
  const [click] = await clicksInLog(settings, 1)
  t.like(click, {
    event_id: id,
    advertiser_id: 'adv-1',
    campaign_id: 'camp-1',
    ad_id: 'ad-1',
    publisher_id: 'p',
    impression_id: 'i-1',
    country: 'GB',
    device_type: 'desktop',
    os: 'Windows',
    browser: 'Chrome',
    source: 'redirect',
    ip_prefix: '81.2.69.0/24',
    referrer_url: 'https://news.example/',
    additional_params: '{"sub":"7"}',
    marks: '',
  })
  t.is(click?.user_hash.length, 12)
  t.is(click?.visitor, click?.user_hash)
  t.false(JSON.stringify(click).includes('81.2.69.160'))
  t.false(JSON.stringify(click).includes('"jo"'))
  await close()
})

test('consent: no user hash without it', async (t) => {
  const settings = await newSettings(t)
  const { get } = await startIngest(t, settings)
  await get('/click/ad-1?user_id=jo&impression_id=no-consent&gdpr=1')
  await get('/click/ad-1?user_id=jo&impression_id=consent&gdpr=1&gdpr_consent=CO')
  await get('/click/ad-1?user_id=jo&impression_id=gpc', { 'sec-gpc': '1' })
  const clicks = await clicksInLog(settings, 3)
  const hashed = clicks.filter((c) => c.user_hash !== '').map((c) => c.impression_id)
  t.deepEqual(hashed, ['consent'])
  t.true(clicks.every((c) => c.visitor !== ''))
})

test('marks: robots, prefetches, previews, block list', async (t) => {
  const settings = await newSettings(t, { CLICKLEDGER_BLOCKED_IPS: '203.0.113.0/24' })
  const { get } = await startIngest(t, settings)
  const expected: Record<string, string> = {
    none: '',
    bot: 'bot-user-agent',
    missing: 'bot-user-agent',
    head: 'prefetch',
    prefetch: 'prefetch',
    preview: 'bot-user-agent,prefetch',
    blocked: 'blocked-ip',
  }
  const at = (name: string) => `/click/ad-1?impression_id=${name}`
  await get(at('none'))
  await get(at('bot'), { 'user-agent': 'curl/8.0' })
  await get(at('missing'), { 'user-agent': '' })
  t.is((await get(at('head'), {}, 'HEAD')).status, 302)
  await get(at('prefetch'), { 'sec-purpose': 'prefetch;prerender' })
  await get(at('preview'), { 'user-agent': 'facebookexternalhit/1.1' })
  await get(at('blocked'), { 'x-forwarded-for': '203.0.113.7' })
  const clicks = await clicksInLog(settings, 7)
  t.deepEqual(Object.fromEntries(clicks.map((c) => [c.impression_id, c.marks])), expected)
})

test('signatures: right, wrong, expired, missing where demanded', async (t) => {
  const settings = await newSettings(t)
  const { get, keys } = await startIngest(t, settings)
  const click = async (adId: string, params: object) => {
    const query = new URLSearchParams({ ...params } as Record<string, string>)
    const answer = await get(`/click/${adId}?${query}`)
    t.is(answer.status, 302)
    return answer.headers.get('x-click-id') ?? ''
  }
  const signed = signClick(keys, signable('ad-2'))
  const expected = {
    [await click('ad-2', signed)]: '',
    [await click('ad-2', { ...signed, publisher_id: 'other' })]: 'bad-signature',
    [await click('ad-2', signClick(keys, signable('ad-2', 2)))]: 'expired-impression',
    [await click('ad-2', {})]: 'bad-signature',
    [await click('ad-1', {})]: '',
    [await click('ad-1', signed)]: 'bad-signature',
  }
  const clicks = await clicksInLog(settings, 6)
  t.deepEqual(Object.fromEntries(clicks.map((c) => [c.event_id, c.marks])), expected)
})

test('the pixel redirects to the ad’s own target or a signed one, nowhere else', async (t) => {
  const settings = await newSettings(t)
  const { get, keys } = await startIngest(t, settings)
  const pixel = await get('/track/click?ad_id=ad-1')
  t.is(pixel.status, 200)
  t.is(pixel.headers.get('content-type'), 'image/gif')
  t.is((await pixel.arrayBuffer()).byteLength, 42)
  const own = await get(`/track/click?ad_id=ad-1&redirect_url=${encodeURIComponent(target)}`)
  t.is(own.status, 302)
  t.true(own.headers.get('location')?.startsWith('https://shop.example/?c=0'))
  const redirect_url = 'https://other.example/landing'
  const signed = buildClickUrl('', keys, { ...signable('ad-1'), redirect_url })
  t.is((await get(signed)).headers.get('location'), redirect_url)
  for (const path of [
    '/track/click?ad_id=ad-1&redirect_url=https%3A%2F%2Fevil.example',
    signed.replace('other.example', 'evil.example'),
    buildClickUrl('', keys, { ...signable('ad-1'), redirect_url: 'javascript:alert(1)' }),
    buildClickUrl('', keys, { ...signable('ad-1'), redirect_url: 'https://a\r\nset-cookie: x=1' }),
    buildClickUrl('', keys, { ...signable('ad-1'), redirect_url: '//evil.example' }),
  ]) {
    const answer = await get(path)
    t.is(answer.status, 400, path)
    t.is((await jsonOf(answer)).code, 'bad-target')
  }
  t.is((await clicksInLog(settings, 3)).length, 3)
})

test('a placement gives a signed click URL with a fresh impression', async (t) => {
  const settings = await newSettings(t)
  const { url, get } = await startIngest(t, settings)
  const first = await jsonOf(await get('/placements/top'))
  const second = await jsonOf(await get('/placements/top'))
  t.not(first.impression_id, second.impression_id)
  const clickUrl = String(first.click_url)
  t.true(clickUrl.startsWith(`${url}/click/ad-1?`))
  t.is((await get(clickUrl.slice(url.length))).status, 302)
  const [click] = await clicksInLog(settings, 1)
  t.like(click, { impression_id: String(first.impression_id), publisher_id: 'pub-1', marks: '' })
  t.is((await get('/placements/none')).status, 404)
})

test('what is archived is offered no more, and a click on it still redirects', async (t) => {
  const tables: [string, string, string][] = [
    ['ads', 'ad_id', 'ad-1'],
    ['campaigns', 'campaign_id', 'camp-1'],
    ['advertisers', 'advertiser_id', 'adv-1'],
    ['placements', 'slot', 'top'],
    ['publishers', 'publisher_id', 'pub-1'],
  ]
  for (const [table, id, value] of tables) {
    const settings = await newSettings(t)
    const catalogue = await openCatalogue(settings)
    await catalogue.query(`UPDATE ${table} SET archived_at = 1 WHERE ${id} = $1`, [value])
    await catalogue.close()
    const { get } = await startIngest(t, settings)
    t.is((await get('/placements/top')).status, 404, table)
    t.is((await get('/click/ad-1')).status, 302, table)
  }
})

test('a key of several publishers says whose the click is', async (t) => {
  const settings = await newSettings(t)
  const { post } = await startIngest(t, settings)
  const publisherIds = ['pub-1', 'pub-2']
  const authorization = await makeKey(settings, { role: 'publisher', publisherIds })
  const { body } = await post(
    '/track/click_event',
    [{ ad_id: 'ad-1' }, ...['pub-2', 'pub-3'].map((id) => ({ ad_id: 'ad-1', publisher_id: id }))],
    { authorization },
  )
  t.deepEqual(
    (body.results as { reason?: string }[]).map(({ reason }) => reason),
    ['bad-request', undefined, 'forbidden'],
  )
})

test('POST: each click gets its own result', async (t) => {
  const settings = await newSettings(t)
  const { post } = await startIngest(t, settings)
  const event_id = '018f0000-0000-7000-8000-000000000001'
  t.deepEqual(await post('/track/click_event', { ad_id: 'ad-1', event_id }), {
    status: 200,
    body: { event_id, accepted: true },
  })
  const one = await post('/track/click_event', { ad_id: 'nope' })
  t.is(one.status, 404)
  t.like(one.body, { accepted: false, reason: 'unknown-ad', code: 'unknown-ad' })
  const { status, body } = await post('/track/click_event', [
    { ad_id: 'ad-1', timestamp_ms: Date.now() - 60_000 },
    { ad_id: 'ad-1', campaign_id: 'other' },
    { ad_id: 'ad-1', ip_address: '1.2.3.4' },
    { ad_id: 'ad-1', timestamp_ms: 1 },
    { ad_id: 'ad-1', clicks: 1 },
  ])
  t.is(status, 200)
  t.deepEqual(
    body.results.map((r: { reason?: string }) => r.reason),
    [undefined, 'ad-mismatch', 'forbidden', 'event-too-old', 'bad-request'],
  )
  const clicks = await clicksInLog(settings, 2)
  t.is(clicks.length, 2)
  t.true(clicks.every((c) => c.source === 'api' && c.country === 'GB' && c.browser === 'Chrome'))
})

test('POST with a key: a server speaks for its visitors', async (t) => {
  const settings = await newSettings(t)
  const { post } = await startIngest(t, settings)
  const authorization = await makeKey(settings, { role: 'publisher', publisherIds: ['pub-1'] })
  const { body } = await post(
    '/track/click_event',
    [
      { ad_id: 'ad-2', ip_address: '8.8.8.8', user_agent: browser },
      { ad_id: 'ad-1' },
      { ad_id: 'ad-1', publisher_id: 'pub-2' },
    ],
    { authorization },
  )
  t.deepEqual(
    body.results.map((r: { accepted: boolean }) => r.accepted),
    [true, true, false],
  )
  t.is(body.results[2].reason, 'forbidden')
  const clicks = await clicksInLog(settings, 2)
  t.true(clicks.every((c) => c.publisher_id === 'pub-1'))
  t.like(
    clicks.find((c) => c.ad_id === 'ad-2'),
    { country: 'US', marks: '' },
  )
  t.is(clicks.find((c) => c.ad_id === 'ad-1')?.ip_hash, '', 'not the address of the server')
  t.is(
    (await post('/track/click_event', { ad_id: 'ad-1' }, { authorization: 'Bearer x' })).status,
    401,
  )
})

test('import: engineers, any time since 2000', async (t) => {
  const settings = await newSettings(t)
  const { post } = await startIngest(t, settings)
  const authorization = await makeKey(settings, { role: 'engineer' })
  const clicks = [
    {
      ad_id: 'ad-1',
      timestamp_ms: Date.UTC(2013, 5, 6),
      ip_address: '8.8.8.8',
      user_agent: browser,
    },
    { ad_id: 'ad-1', timestamp_ms: 5 },
  ]
  t.is((await post('/import/clicks', { clicks })).status, 401)
  const publisher = await makeKey(settings, { role: 'publisher' })
  t.is((await post('/import/clicks', { clicks }, { authorization: publisher })).status, 403)
  t.is((await post('/import/clicks', clicks, { authorization })).status, 400)
  const { status, body } = await post('/import/clicks', { clicks }, { authorization })
  t.is(status, 200)
  t.like(body.results[0], { accepted: true })
  t.like(body.results[1], { accepted: false, reason: 'event-too-old' })
  const [click] = await clicksInLog(settings, 1)
  if (!click) return t.fail()
  t.like(click, { source: 'import', event_time: Date.UTC(2013, 5, 6), country: 'US', marks: '' })
  t.is(Number.parseInt(click.event_id.replaceAll('-', '').slice(0, 12), 16), click.event_time)
})

test('who asks too often is told to wait; another address has its own limit', async (t) => {
  const { get } = await startIngest(t, await newSettings(t, { CLICKLEDGER_RATE_LIMIT: '2' }))
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async () => (await get('/livez')).status),
  )
  t.true(statuses.includes(429))
  const other = await get('/livez', { 'x-forwarded-for': '81.2.69.161' })
  t.is(other.status, 200, 'another address has its own limit')
})

test('what is asked wrongly is told so', async (t) => {
  const { get, post } = await startIngest(t, await newSettings(t))
  const code = async (answer: Response) => {
    t.is(answer.headers.get('content-type'), 'application/problem+json')
    const body = await jsonOf(answer)
    t.is(body.status, answer.status)
    return body.code
  }
  t.is(await code(await get('/')), 'not-found')
  t.is(await code(await get('/click/none')), 'unknown-ad')
  t.is(await code(await get('/click/%E0%A4%A')), 'unknown-ad')
  t.is(await code(await get('/click/ad-bad')), 'bad-target')
  t.is(await code(await get('/click/ad-1', {}, 'POST')), 'method-not-allowed')
  t.is(await code(await get('/track/click_event')), 'method-not-allowed')
  t.is(await code(await get('/track/click')), 'bad-request')
  t.is(await code(await get(`/click/ad-1?x=${'x'.repeat(limits.urlBytesMax)}`)), 'uri-too-long')
  const events = '/track/click_event'
  t.is((await post(events, '{')).body.code, 'bad-request')
  t.is((await post(events, '{}', { 'content-type': 'text/plain' })).status, 415)
  t.is((await post(events, 'x'.repeat(limits.bodyBytesMax + 1))).status, 413)
  t.is((await post(events, Array(limits.batchClicksMax + 1).fill({}))).status, 413)
  t.is((await get('/robots.txt')).status, 200)
})

test('the event log away: clicks are accepted until the WAL is full, and none is lost', async (t) => {
  const settings = await newSettings(t, {
    CLICKLEDGER_WAL_BYTES_MAX: '8KiB',
    CLICKLEDGER_WAL_SEGMENT_BYTES: '4KiB',
  })
  const inTheWay = dataPaths(settings).log
  const accepted = new Set<string>()
  // A node that never reached the log would not start: the settings may be wrong.
  const before = await startIngest(t, settings)
  accepted.add((await before.get('/click/ad-1')).headers.get('x-click-id') ?? '')
  const shipped = () => readCursor(dataPaths(settings).wal)
  await until(shipped, { what: 'the click is shipped' })
  await before.close()
  await rename(inTheWay, `${inTheWay}.away`)
  await writeFile(inTheWay, 'a file where a directory should be')
  const first = await startIngest(t, settings)
  for (;;) {
    const answer = await first.get('/click/ad-1')
    t.is(answer.status, 302)
    const id = answer.headers.get('x-click-id')
    if (id === null) {
      t.is(answer.headers.get('x-click-accepted'), 'false')
      break
    }
    accepted.add(id)
  }
  t.true(accepted.size > 5)
  const refused = await first.post('/track/click_event', { ad_id: 'ad-1' })
  t.is(refused.status, 503)
  t.is(refused.body.code, 'not-accepted')
  // The WAL may be full before the sender has tried for the first time.
  const triedToShip = async () => {
    const ready = await first.get('/readyz')
    t.is(ready.status, 503)
    const state = (await jsonOf(ready)) as { log: string }
    return state.log === 'unavailable' && state
  }
  const state = await until(triedToShip, { what: 'the log is missed' })
  t.like(state, { wal: 'full', catalogue: 'ok' })
  t.regex(
    await (await first.get('/metrics')).text(),
    /clicks_not_accepted_total\{source="redirect"[^}]*\} 1/,
  )
  await first.close()

  await rm(inTheWay)
  await rename(`${inTheWay}.away`, inTheWay)
  const second = await startIngest(t, settings)
  const clicks = await clicksInLog(settings, accepted.size)
  t.deepEqual(clicks.map((c) => c.event_id).sort(), [...accepted].sort())
  t.is(clicks.length, accepted.size)
  await until(async () => (await second.get('/readyz')).status === 200, { what: 'ready' })
  t.true((await second.get('/click/ad-1')).headers.has('x-click-id'))
})

test('each node reports what it accepted and what it has not shipped', async (t) => {
  const begun = Date.now()
  const settings = await newSettings(t)
  const node = await startIngest(t, settings)
  await node.get('/click/ad-1')
  await node.get('/track/click?ad_id=ad-1')
  const catalogue = await openCatalogue(settings)
  t.teardown(() => catalogue.close())
  const report = await until(
    async () => (await readHeartbeats(catalogue, 'ingest')).find((h) => h.body.accepted === 2),
    { what: 'a report of two clicks' },
  )
  t.is(report.node, 'node-1')
  t.is(report.body.url, node.url)
  t.is(report.body.notAccepted, 0)
  t.true(report.reportedAt >= begun && report.reportedAt <= Date.now())
})

test('CLICKLEDGER_ACK=log: the answer comes when the log has the click', async (t) => {
  const settings = await newSettings(t, { CLICKLEDGER_ACK: 'log' })
  const { get } = await startIngest(t, settings)
  for (let i = 0; i < 5; i++) t.true((await get('/click/ad-1')).headers.has('x-click-id'))
  t.is((await clicksInLog(settings, 5)).length, 5)
})

test('a second process on the same directory is refused', async (t) => {
  const settings = await newSettings(t)
  await startIngest(t, settings)
  await t.throwsAsync(startIngest(t, settings), { code: 'already-running' })
})

test('close answers what is in flight and ships what was accepted', async (t) => {
  const settings = await newSettings(t)
  const { get, close } = await startIngest(t, settings)
  await get('/click/ad-1') // the ad is known from here on
  const answers = Array.from({ length: 50 }, () => get('/click/ad-1').catch(() => undefined))
  await Promise.race(answers)
  await close()
  const accepted = (await Promise.all(answers)).filter((a) => a?.headers.has('x-click-id')).length
  const clicks = await clicksInLog(settings, 1 + accepted)
  t.true(clicks.length >= 1 + accepted)
})
