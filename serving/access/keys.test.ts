import { Writable } from 'node:stream'
import test from 'ava'
import pino from 'pino'
import { createApiKey, createKeyLookup, prefixOfKey } from '#platform/api-keys.ts'
import { createKeyUse } from '#platform/key-use.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { failingCatalogue } from '../../tests/support/failing-catalogue.ts'
import { credentialOf } from '../auth.ts'
import { type Fixture, openFixture, startNow } from '../testing/fixture.ts'

const day = 86_400_000
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

async function statusOf({ app }: Fixture, authorization: string): Promise<number> {
  const answer = await app.inject({ url: '/v1/freshness', headers: { authorization } })
  return answer.statusCode
}

const make = async ({ inject }: Fixture, payload: object) =>
  (await inject({ url: '/v1/keys', method: 'POST', payload }, 'admin')).json()

test('the credential of a header', (t) => {
  t.is(credentialOf('Bearer abc'), 'abc')
  t.is(credentialOf('bearer   abc'), 'abc')
  t.is(credentialOf(basic('anybody', 'abc')), 'abc')
  t.is(credentialOf(basic('', 'a:b')), 'a:b')
  for (const header of [undefined, '', 'abc', 'Bearer', 'Basic', 'Basic %%', 'Digest abc']) {
    t.is(credentialOf(header), undefined, header)
  }
  t.is(credentialOf(basic('user', '')), undefined)
  t.is(credentialOf(`Basic ${Buffer.from('no colon').toString('base64')}`), undefined)
})

test('a key works as the password of HTTP Basic, under any user name', async (t) => {
  const fixture = await openFixture(t)
  t.is(await statusOf(fixture, basic('grafana', fixture.keys.advertiser)), 200)
  t.is(await statusOf(fixture, basic(fixture.keys.advertiser, 'grafana')), 401)
})

test('listed without the key or its hash; ended ones only when asked for', async (t) => {
  const fixture = await openFixture(t)
  const { inject, time } = fixture
  const made = await make(fixture, {
    ...{ role: 'advertiser', advertiser_ids: ['adv-1', 'adv-2'], name: 'agency' },
    expires_at: new Date(startNow + day).toISOString(),
  })
  const list = async (query = '') => (await inject({ url: `/v1/keys${query}` }, 'admin')).json()
  const all = await list()
  t.is(all.data.length, 6)
  t.false(JSON.stringify(all).includes(made.key))
  t.like(
    all.data.find((key: { key_id: string }) => key.key_id === made.key_id),
    {
      ...{
        prefix: made.prefix,
        state: 'active',
        advertiser_ids: ['adv-1', 'adv-2'],
        name: 'agency',
      },
      last_used_at: null,
    },
  )
  time.now += day
  t.is(await statusOf(fixture, `Bearer ${made.key}`), 401, 'expired')
  t.is((await list()).data.length, 5)
  t.is((await list('?ended=true')).data.length, 6)
  const seen: string[] = []
  for (let after = ''; ; ) {
    const page = await list(`?ended=true&limit=2&after=${after}`)
    seen.push(...page.data.map((key: { key_id: string }) => key.key_id))
    if (!page.next) break
    after = page.next
  }
  t.is(new Set(seen).size, 6)
  t.is(seen.length, 6)
})

test('a key of several tenants sees those and no others', async (t) => {
  const fixture = await openFixture(t)
  const { app, inject } = fixture
  await inject({ url: '/v1/advertisers/adv-3', method: 'PUT', payload: {} }, 'admin')
  const { key } = await make(fixture, { role: 'advertiser', advertiser_ids: ['adv-1', 'adv-2'] })
  const headers = { authorization: `Bearer ${key}` }
  const { data } = (await app.inject({ url: '/v1/advertisers', headers })).json()
  t.deepEqual(
    data.map((row: { advertiser_id: string }) => row.advertiser_id),
    ['adv-1', 'adv-2'],
  )
  t.is((await app.inject({ url: '/v1/advertisers/adv-3', headers })).statusCode, 404)
})

test('rotation: the old key stays good for the grace period, and only once', async (t) => {
  const fixture = await openFixture(t)
  const { inject, time } = fixture
  const first = await make(fixture, { role: 'publisher', publisher_id: 'pub-1', name: 'site' })
  const rotate = (id: string, payload?: object) =>
    inject(
      { url: `/v1/keys/${id}/rotate`, method: 'POST', ...(payload ? { payload } : {}) },
      'admin',
    )
  const rotated = await rotate(first.key_id, { grace_seconds: 3600 })
  t.is(rotated.statusCode, 201)
  const { key, made, old } = rotated.json()
  t.like(made, { role: 'publisher', publisher_ids: ['pub-1'], name: 'site', expires_at: null })
  t.like(old, {
    replaced_by: made.key_id,
    expires_at: new Date(startNow + 3_600_000).toISOString(),
  })
  t.is(await statusOf(fixture, `Bearer ${first.key}`), 200)
  t.is(await statusOf(fixture, `Bearer ${key}`), 200)
  const again = await rotate(first.key_id)
  t.is(again.statusCode, 409)
  t.regex(again.json().detail, new RegExp(made.key_id))
  time.now += 3_600_000
  t.is(await statusOf(fixture, `Bearer ${first.key}`), 401)
  t.is(await statusOf(fixture, `Bearer ${key}`), 200)
  t.is((await rotate(first.key_id)).statusCode, 409, 'it has expired')
  t.is((await rotate('key_nobody')).statusCode, 404)
  t.is((await rotate(made.key_id)).statusCode, 201, 'no body: a day')
})

test('a rotation never lengthens the life of the old key; the new one lives as long', async (t) => {
  const fixture = await openFixture(t)
  const soon = new Date(startNow + 60_000).toISOString()
  const { key_id } = await make(fixture, { role: 'engineer', expires_at: soon })
  fixture.time.now += 30_000
  const url = `/v1/keys/${key_id}/rotate`
  const { made, old } = (await fixture.inject({ url, method: 'POST' }, 'admin')).json()
  t.is(old.expires_at, soon)
  t.is(made.expires_at, new Date(startNow + 90_000).toISOString())
})

test('a revocation is in force at once here, and after ten seconds elsewhere', async (t) => {
  const fixture = await openFixture(t)
  const { inject, catalogue } = fixture
  const { key, key_id } = await make(fixture, { role: 'engineer' })
  let elapsed = 0
  const elsewhere = createKeyLookup(catalogue, () => startNow, { elapsed: () => elapsed })
  t.is((await elsewhere(key))?.role, 'engineer')
  t.is(await statusOf(fixture, `Bearer ${key}`), 200)
  const revoke = () => inject({ url: `/v1/keys/${key_id}`, method: 'DELETE' }, 'admin')
  const revoked = (await revoke()).json()
  t.is(revoked.state, 'revoked')
  t.is(await statusOf(fixture, `Bearer ${key}`), 401)
  elapsed = 10_000
  t.is(await elsewhere(key), undefined)
  fixture.time.now += 5
  t.is((await revoke()).json().revoked_at, revoked.revoked_at, 'once is enough')
  t.is((await inject({ url: '/v1/keys/nobody', method: 'DELETE' }, 'admin')).statusCode, 404)
})

test('last used is written later, many at a time, and not lost while the catalogue is away', async (t) => {
  const catalogue = failingCatalogue(await openTestCatalogue(t))
  let now = 1_000
  const use = createKeyUse(catalogue, () => now)
  t.teardown(() => use.close())
  const lookup = createKeyLookup(catalogue, () => now, { onUse: use.note })
  const keys = await Promise.all(
    Array.from({ length: 300 }, () => createApiKey(catalogue, 1, { role: 'engineer' })),
  )
  const lastUsed = () =>
    catalogue.query('SELECT last_used_at FROM api_keys WHERE last_used_at IS NOT NULL')
  for (const key of keys) await lookup(key)
  await lookup('clk_unknown')
  t.is((await lastUsed()).length, 0, 'nobody waited for it')
  catalogue.weather = 'refuses'
  await t.throwsAsync(use.write())
  catalogue.weather = 'fine'
  await use.write()
  t.is((await lastUsed()).length, 300)
  now = 500
  await lookup(keys[0] ?? '')
  await use.write()
  t.true(
    (await lastUsed()).every((row) => Number(row.last_used_at) === 1_000),
    'never goes back',
  )
})

test('a short key of the settings does not show in its prefix', (t) => {
  t.is(prefixOfKey('secret'), 'se')
  t.is(prefixOfKey(`clk_${'x'.repeat(32)}`).length, 11)
})

test('wrong orders for keys say what is wrong', async (t) => {
  const fixture = await openFixture(t)
  const wrong: [object, RegExp][] = [
    [{ role: 'advertiser', advertiser_ids: [] }, /advertiser_ids/],
    [{ role: 'advertiser', advertiser_id: 'adv-1', advertiser_ids: ['adv-2'] }, /advertiser_ids/],
    [{ role: 'advertiser', advertiser_ids: ['adv-1', 'nobody'] }, /no advertiser nobody/],
    [{ role: 'engineer', expires_at: 'tomorrow' }, /expires_at/],
    [{ role: 'engineer', expires_at: '2020-01-01' }, /future/],
  ]
  for (const [payload, message] of wrong) {
    const answer = await fixture.inject({ url: '/v1/keys', method: 'POST', payload }, 'admin')
    t.is(answer.statusCode, 400)
    t.regex(answer.json().detail, message)
  }
})

test('no key is ever in the log, at any level', async (t) => {
  let log = ''
  const destination = new Writable({
    write(chunk, _, done) {
      log += String(chunk)
      done()
    },
  })
  let isAway = false
  const fixture = await openFixture(t, {
    logger: pino({ level: 'trace' }, destination),
    wrapCatalogue: (catalogue) => ({
      ...catalogue,
      query: (sql, params) =>
        isAway ? Promise.reject(new Error(`away: ${sql}`)) : catalogue.query(sql, params),
    }),
  })
  const { inject, app, keys } = fixture
  const { key, key_id } = await make(fixture, { role: 'engineer' })
  const url = `/v1/keys/${key_id}/rotate`
  const rotated = (await inject({ url, method: 'POST' }, 'admin')).json()
  const stranger = 'clk_stranger-with-a-long-secret'
  const secrets = [...Object.values(keys), key, rotated.key, stranger]
  const ask = async () => {
    for (const secret of secrets) {
      await statusOf(fixture, `Bearer ${secret}`)
      await statusOf(fixture, basic('user', secret))
      const limit = isAway ? 8 : 7 // else the answer is remembered, and nothing fails
      const headers = { authorization: `Bearer ${secret}` }
      await app.inject({ url: `/v1/keys?limit=${limit}`, headers })
      await app.inject({
        url: '/v1/ads',
        headers: { authorization: `Bearer ${secret}` },
        method: 'POST',
        payload: '{',
      })
    }
  }
  await ask()
  isAway = true
  await ask()
  t.true(log.includes('request failed'), 'something was logged')
  for (const secret of secrets) {
    t.false(log.includes(secret), 'a key')
    t.false(log.includes(Buffer.from(`user:${secret}`).toString('base64')), 'a key in Basic')
  }
  isAway = false
  const stored = JSON.stringify([
    await fixture.catalogue.query('SELECT * FROM audit_log'),
    await fixture.catalogue.query('SELECT * FROM api_keys'),
  ])
  for (const secret of secrets) t.false(stored.includes(secret), 'stored')
})
