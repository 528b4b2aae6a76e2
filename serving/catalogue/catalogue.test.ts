import test from 'ava'
import fc from 'fast-check'
import { seed } from '../../tests/support/random-clicks.ts'
import { type Fixture, type Keys, openFixture } from '../testing/fixture.ts'

type Method = 'GET' | 'PUT' | 'PATCH' | 'DELETE' | 'POST'

interface Sent {
  readonly payload?: object
  readonly ifMatch?: string
  readonly createOnly?: boolean
  readonly as?: keyof Keys
}

const caller =
  ({ inject }: Fixture) =>
  (method: Method, url: string, { payload, ifMatch, createOnly, as = 'admin' }: Sent = {}) =>
    inject(
      {
        ...{ url, method },
        ...(payload ? { payload } : {}),
        headers: {
          ...(ifMatch ? { 'if-match': ifMatch } : {}),
          ...(createOnly ? { 'if-none-match': '*' } : {}),
        },
      },
      as,
    )

test('read, changed by the revision that was read, refused by an older one', async (t) => {
  const call = caller(await openFixture(t))
  const url = '/v1/ads/ad-1'
  const read = await call('GET', url, { as: 'advertiser' })
  t.is(read.headers.etag, '"1"')
  t.like(read.json(), { ad_id: 'ad-1', campaign_id: 'c-1', archived: false, revision: 1 })
  const stale = String(read.headers.etag)
  const changed = await call('PATCH', url, { payload: { name: 'Shoe' }, ifMatch: stale })
  t.is(changed.statusCode, 200)
  t.is(changed.headers.etag, '"2"')
  t.like(changed.json(), { name: 'Shoe', target_url: 'https://a.test/', campaign_id: 'c-1' })
  const late = await call('PATCH', url, { payload: { name: 'Boot' }, ifMatch: stale })
  t.is(late.statusCode, 412)
  t.is(late.json().code, 'precondition-failed')
  t.is((await call('PATCH', url, { payload: { name: 'Boot' } })).statusCode, 428)
  t.is((await call('PUT', url, { payload: read.json() })).statusCode, 428)
  t.is((await call('DELETE', url, { ifMatch: stale })).statusCode, 412)
  t.is((await call('PUT', url, { payload: read.json(), ifMatch: 'W/"2"' })).statusCode, 200)
  t.like((await call('GET', url)).json(), { name: '', revision: 3 })
  t.is((await call('PATCH', url, { payload: { name: 'x' }, ifMatch: '"1", "3"' })).statusCode, 200)
})

test('unchanged since: 304', async (t) => {
  const { inject } = await openFixture(t)
  const get = (tag: string) =>
    inject({ url: '/v1/ads/ad-1', headers: { 'if-none-match': tag } }, 'admin')
  t.is((await get('"1"')).statusCode, 304)
  t.is((await get('"2"')).statusCode, 200)
})

test('created once: 201, then 428, or 412 where it was to be new', async (t) => {
  const call = caller(await openFixture(t))
  const url = '/v1/campaigns/c-9'
  const payload = { advertiser_id: 'adv-1', name: 'Spring' }
  t.is((await call('PUT', url, { payload, ifMatch: '"1"' })).statusCode, 412)
  t.is((await call('PUT', url, { payload, createOnly: true })).statusCode, 201)
  t.is((await call('PUT', url, { payload, createOnly: true })).statusCode, 412)
  t.is((await call('PUT', url, { payload })).statusCode, 428)
  t.is((await call('PATCH', '/v1/campaigns/c-8', { payload, ifMatch: '*' })).statusCode, 404)
  t.is((await call('DELETE', '/v1/campaigns/c-8')).statusCode, 404)
})

test('of many who change the same revision one wins', async (t) => {
  const fixture = await openFixture(t)
  const call = caller(fixture)
  const url = '/v1/advertisers/adv-1'
  for (let revision = 1; revision <= 3; revision++) {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        call('PATCH', url, { payload: { name: `n${revision}-${i}` }, ifMatch: `"${revision}"` }),
      ),
    )
    const codes = answers.map(({ statusCode }) => statusCode)
    t.is(codes.filter((code) => code === 200).length, 1)
    t.is(codes.filter((code) => code === 412).length, 7)
    const winner = answers.find(({ statusCode }) => statusCode === 200)
    t.is((await call('GET', url)).json().name, winner?.json().name)
  }
  const rows = await fixture.catalogue.query('SELECT action FROM audit_log')
  t.is(rows.length, 3, 'who changed nothing is not in the log')
})

test('random changes by many clients end as a naive model says', async (t) => {
  t.log({ seed })
  const call = caller(await openFixture(t))
  const step = fc.record({
    slot: fc.constantFrom('s1', 's2', 's3'),
    kind: fc.constantFrom<('PUT' | 'PATCH' | 'DELETE' | 'POST')[]>(
      'PUT',
      'PATCH',
      'DELETE',
      'POST',
    ),
    adId: fc.constantFrom('ad-1', 'ad-2'),
    archived: fc.option(fc.boolean(), { nil: undefined }),
    // How far the revision one names is from the current one.
    off: fc.option(fc.constantFrom(-1, 0, 1), { nil: undefined, freq: 2 }),
  })
  interface Model {
    revision: number
    ads: string[]
    archived: boolean
  }
  const model = new Map<string, Model>()
  const codes: Record<number, number> = {}
  for (const { slot, kind, adId, archived, off } of fc.sample(step, { seed, numRuns: 250 })) {
    const before = model.get(slot)
    const match = off === undefined ? undefined : Math.max(1, (before?.revision ?? 0) + off)
    const url = `/v1/placements/${slot}`
    const body = { ad_ids: [adId], ...(archived === undefined ? {} : { archived }) }
    const conditions = match === undefined ? {} : { ifMatch: `"${match}"` }
    const stale = match !== undefined && match !== before?.revision
    let code = 200
    let after = before
    const next = (changes: Partial<Model>): Model => ({
      ...{ ads: [adId], archived: false, ...before, ...changes },
      revision: (before?.revision ?? 0) + 1,
    })
    if (kind === 'POST') {
      after = next({ ads: [adId] })
      await call('POST', '/v1/placements', {
        payload: { slot, publisher_id: 'pub-1', ad_ids: [adId] },
      })
    } else {
      const payload = kind === 'PUT' ? { ...body, publisher_id: 'pub-1' } : body
      const answer = await call(kind, url, {
        ...(kind === 'DELETE' ? {} : { payload }),
        ...conditions,
      })
      if (!before) code = kind !== 'PUT' ? 404 : match === undefined ? 201 : 412
      else if (stale) code = 412
      else if (match === undefined && kind !== 'DELETE') code = 428
      if (code < 300) {
        after =
          kind === 'DELETE'
            ? next({ archived: true })
            : next({ ads: [adId], archived: archived ?? (kind === 'PATCH' && !!before?.archived) })
      }
      t.is(answer.statusCode, code, `${kind} ${slot} ${JSON.stringify(payload)} ${match}`)
      codes[code] = (codes[code] ?? 0) + 1
    }
    if (!after) continue
    model.set(slot, after)
    const { ads, ...rest } = after
    t.like((await call('GET', url)).json(), { ad_ids: ads, ...rest })
  }
  t.true(
    [200, 412, 428].every((code) => (codes[code] ?? 0) > 5),
    JSON.stringify(codes),
  )
})

test("what is not one's own is not there: neither by id, nor in lists, nor by filter", async (t) => {
  const call = caller(await openFixture(t))
  await call('PUT', '/v1/campaigns/c-2', { payload: { advertiser_id: 'adv-2' } })
  await call('PUT', '/v1/publishers/pub-2', { payload: {} })
  for (const [slot, publisher_id] of [
    ['s1', 'pub-1'],
    ['s2', 'pub-2'],
  ] as const) {
    await call('PUT', `/v1/placements/${slot}`, { payload: { publisher_id, ad_ids: ['ad-2'] } })
  }
  const mine: [string, string, string, 'advertiser' | 'publisher'][] = [
    ['advertisers', 'adv-1', 'adv-2', 'advertiser'],
    ['campaigns', 'c-1', 'c-2', 'advertiser'],
    ['ads', 'ad-1', 'ad-2', 'advertiser'],
    ['publishers', 'pub-1', 'pub-2', 'publisher'],
    ['placements', 's1', 's2', 'publisher'],
  ]
  for (const [name, own, foreign, as] of mine) {
    t.is((await call('GET', `/v1/${name}/${own}`, { as })).statusCode, 200, name)
    const theirs = await call('GET', `/v1/${name}/${foreign}`, { as })
    const nobodys = await call('GET', `/v1/${name}/nobody`, { as })
    t.is(theirs.statusCode, 404, name)
    t.is(
      theirs.json().detail.replace(foreign, 'x'),
      nobodys.json().detail.replace('nobody', 'x'),
      'an id tells nobody whether it exists',
    )
    const { data, next } = (await call('GET', `/v1/${name}`, { as })).json()
    t.deepEqual([data.length, next], [1, null], name)
    t.true(JSON.stringify(data).includes(own))
    t.false(JSON.stringify(data.map((row: object) => Object.values(row)[0])).includes(foreign))
  }
  const asked = await call('GET', '/v1/ads?advertiser_id=adv-2', { as: 'advertiser' })
  t.is(asked.statusCode, 404)
  t.is(
    (await call('GET', '/v1/ads?advertiser_id=adv-1', { as: 'advertiser' })).json().data.length,
    1,
  )
})

test('pages and filters', async (t) => {
  const call = caller(await openFixture(t))
  for (let i = 0; i < 7; i++) {
    await call('PUT', `/v1/campaigns/p-${i}`, { payload: { advertiser_id: `adv-${1 + (i % 2)}` } })
  }
  await call('DELETE', '/v1/campaigns/p-0')
  const idsOf = async (query: string) => {
    const ids: string[] = []
    for (let after = ''; ; ) {
      const page = (await call('GET', `/v1/campaigns?limit=2&after=${after}&${query}`)).json()
      ids.push(...page.data.map((row: { campaign_id: string }) => row.campaign_id))
      if (page.next === null) return ids
      after = page.next
    }
  }
  t.deepEqual(await idsOf(''), ['c-1', 'p-0', 'p-1', 'p-2', 'p-3', 'p-4', 'p-5', 'p-6'])
  t.deepEqual(await idsOf('advertiser_id=adv-2'), ['p-1', 'p-3', 'p-5'])
  t.deepEqual(await idsOf('archived=true'), ['p-0'])
  t.deepEqual(await idsOf('archived=false&advertiser_id=adv-1'), ['c-1', 'p-2', 'p-4', 'p-6'])
})

test('references and owners are checked; a body that does not fit says why', async (t) => {
  const call = caller(await openFixture(t))
  await call('PUT', '/v1/campaigns/c-2', { payload: { advertiser_id: 'adv-2' } })
  const ad = { advertiser_id: 'adv-1', target_url: 'https://a.test/' }
  const wrong: [Method, string, object, number, RegExp][] = [
    ['PUT', '/v1/ads/ad-9', { ...ad, advertiser_id: 'nobody' }, 400, /no advertiser nobody/],
    ['PUT', '/v1/ads/ad-9', { ...ad, campaign_id: 'nothing' }, 400, /no campaign nothing/],
    ['PUT', '/v1/ads/ad-9', { ...ad, campaign_id: 'c-2' }, 409, /another advertiser/],
    ['PUT', '/v1/ads/ad-9', { ...ad, target_url: 'javascript:alert(1)' }, 400, /target_url/],
    ['PUT', '/v1/ads/ad-9', { target_url: 'https://a.test/' }, 400, /advertiser_id/],
    ['PUT', '/v1/ads/ad-9', { ...ad, ad_id: 'ad-8' }, 400, /ad_id is ad-9 in the path/],
    ['PUT', '/v1/ads/ad-9', { ...ad, colour: 'red' }, 400, /colour/],
    ['PUT', '/v1/ads/ad-1', { ...ad, advertiser_id: 'adv-2' }, 409, /belongs to adv-1, for good/],
    ['PATCH', '/v1/campaigns/c-1', { advertiser_id: 'adv-2' }, 409, /belongs to adv-1/],
    ['PATCH', '/v1/ads/ad-1', {}, 400, /body/],
    ['PUT', '/v1/placements/s', { publisher_id: 'pub-1', ad_ids: ['ad-9'] }, 400, /no ad ad-9/],
    ['PUT', '/v1/placements/s', { publisher_id: 'nobody', ad_ids: ['ad-1'] }, 400, /no publisher/],
  ]
  for (const [method, url, payload, code, reason] of wrong) {
    const isNew = url.endsWith('ad-9') || url.endsWith('/s')
    const answer = await call(method, url, { payload, ...(isNew ? {} : { ifMatch: '*' }) })
    t.is(answer.statusCode, code, JSON.stringify(payload))
    t.regex(answer.json().detail, reason)
  }
  const oddity = await call('PUT', '/v1/publishers/p', { payload: { name: 'a\0b' } })
  t.is(oddity.statusCode, 400)
})

test('the upserts raise revisions too, and the same again does not', async (t) => {
  const fixture = await openFixture(t)
  const call = caller(fixture)
  const revision = async (url: string) => (await call('GET', url)).json().revision
  const ad = { ad_id: 'ad-1', advertiser_id: 'adv-1', target_url: 'https://a.test/2' }
  await call('POST', '/v1/ads', { payload: [ad] })
  t.is(await revision('/v1/ads/ad-1'), 2)
  await call('POST', '/v1/ads', { payload: [ad] })
  t.is(await revision('/v1/ads/ad-1'), 2)
  await call('POST', '/v1/ads', { payload: [{ ...ad, advertiser_name: 'Shop' }] })
  t.is(await revision('/v1/ads/ad-1'), 2)
  t.is(await revision('/v1/advertisers/adv-1'), 2)
  await call('POST', '/v1/publishers', { payload: { publisher_id: 'pub-1', name: 'One' } })
  t.is(await revision('/v1/publishers/pub-1'), 2)
})
