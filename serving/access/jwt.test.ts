import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import { until } from '#platform/wait.ts'
import { openFixture, startNow } from '../testing/fixture.ts'
import { createJwks } from './jwks.ts'
import { verifyToken } from './jwt.ts'

const issuer = 'https://id.test/'
const audience = 'clickledger'
const now = startNow
const seconds = (ms: number) => Math.floor(ms / 1000)

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>
const pair = (alg: string): Promise<KeyPair> => generateKeyPair(alg, { extractable: true })

/** An identity provider: publishes keys, and can be taken away. */
async function openProvider(t: ExecutionContext) {
  const keys = new Map<string, KeyPair>([['k1', await pair('ES256')]])
  const state = { isAway: false, asked: 0, elapsed: 0 }
  const server: Server = createServer(async (_, response) => {
    state.asked++
    if (state.isAway) return response.writeHead(500).end()
    const jwks = [...keys].map(async ([kid, key]) => ({
      ...(await exportJWK(key.publicKey)),
      ...{ kid, use: 'sig' },
    }))
    return response.end(JSON.stringify({ keys: await Promise.all(jwks) }))
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', resolve)
  await promise
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`
  const jwks = createJwks({ url, elapsed: () => state.elapsed })
  const jwt = { keys: jwks, issuer, audience, clockSkewMs: 30_000 }

  const sign = async (
    claims: JWTPayload = {},
    { kid = 'k1', key }: { kid?: string; key?: KeyPair } = {},
  ): Promise<string> => {
    const used = key ?? keys.get(kid)
    if (!used) throw new Error(`no key ${kid}`)
    return new SignJWT({
      ...{ iss: issuer, aud: audience, sub: 'ann', role: 'engineer' },
      ...{ iat: seconds(now), exp: seconds(now) + 60, ...claims },
    })
      .setProtectedHeader({ alg: 'ES256', kid })
      .sign(used.privateKey)
  }
  return { keys, state, jwt, sign }
}

const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

test('a token in the place of a key', async (t) => {
  const { jwt, sign } = await openProvider(t)
  const { app, keys } = await openFixture(t, { jwt })
  const get = async (url: string, token: string) =>
    app.inject({ url, headers: { authorization: `Bearer ${token}` } })
  t.is((await get('/v1/status', await sign())).statusCode, 200)
  t.is((await get('/v1/status', keys.engineer)).statusCode, 200, 'keys work beside it')
  const advertiser = await sign({ role: 'advertiser', advertiser_id: 'adv-1' })
  t.is((await get('/v1/status', advertiser)).statusCode, 403)
  const { data } = (await get('/v1/ads', advertiser)).json()
  t.deepEqual(
    data.map((ad: { ad_id: string }) => ad.ad_id),
    ['ad-1'],
  )
  const both = await sign({ role: 'advertiser', advertiser_id: ['adv-1', 'adv-2'] })
  t.is((await get('/v1/ads', both)).json().data.length, 2)
  t.is((await get('/v1/ads/ad-2', advertiser)).statusCode, 404)
  const password = Buffer.from(`x:${advertiser}`).toString('base64')
  const headers = { authorization: `Basic ${password}` }
  t.is((await app.inject({ url: '/v1/ads', headers })).statusCode, 200)
})

test('tokens that are not believed: 401 with the reason; without a right: 403', async (t) => {
  const provider = await openProvider(t)
  const { jwt, sign } = provider
  const { app } = await openFixture(t, { jwt })
  const claims = { iss: issuer, aud: audience, sub: 'ann', role: 'admin', exp: seconds(now) + 60 }
  const publicJwk = await exportJWK((provider.keys.get('k1') as KeyPair).publicKey)
  const hmac = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .sign(new TextEncoder().encode(JSON.stringify(publicJwk)))
  const good = await sign()
  const [head, body, signature] = good.split('.')
  const refused: [string, string, number, RegExp][] = [
    ['alg none', `${part({ alg: 'none' })}.${part(claims)}.`, 401, /algorithm/],
    ['alg none, cased', `${part({ alg: 'nOnE' })}.${part(claims)}.`, 401, /algorithm/],
    ['HS256 with the public key', hmac, 401, /algorithm/],
    ['wrong key', await sign({}, { key: await pair('ES256') }), 401, /signature/],
    ['other claims', `${head}.${part({ ...claims })}.${signature}`, 401, /signature/],
    ['no signature', `${head}.${body}.`, 401, /signature|malformed/],
    ['no token', 'eyJhbGciOiJFUzI1NiJ9.x.y', 401, /not accepted/],
    ['expired', await sign({ exp: seconds(now) - 31 }), 401, /expired/],
    ['no expiry', await sign({ exp: undefined }), 401, /expiry/],
    ['nobody', await sign({ sub: undefined }), 401, /sub/],
    ['wrong audience', await sign({ aud: 'another' }), 401, /audience/],
    ['no audience', await sign({ aud: undefined }), 401, /audience/],
    ['wrong issuer', await sign({ iss: 'https://evil.test/' }), 401, /issuer/],
    ['not yet valid', await sign({ nbf: seconds(now) + 31 }), 401, /not valid yet/],
    ['too long', `eyJ${'x'.repeat(9_000)}.a.b`, 401, /longer/],
    ['foreign role', await sign({ role: 'root' }), 403, /claim role/],
    ['no role', await sign({ role: undefined }), 403, /claim role/],
    ['missing advertiser', await sign({ role: 'advertiser' }), 403, /advertiser_id/],
    ['no advertisers', await sign({ role: 'advertiser', advertiser_id: [] }), 403, /advertiser_id/],
    [
      'odd advertiser',
      await sign({ role: 'advertiser', advertiser_id: 'a,b' }),
      403,
      /advertiser_id/,
    ],
    ['missing publisher', await sign({ role: 'publisher' }), 403, /publisher_id/],
    [
      'role of another route',
      await sign({ role: 'publisher', publisher_id: 'p' }),
      403,
      /engineer/,
    ],
  ]
  for (const [name, token, status, reason] of refused) {
    const headers = { authorization: `Bearer ${token}` }
    const answer = await app.inject({ url: '/v1/status', headers })
    t.is(answer.statusCode, status, name)
    t.regex(String(answer.headers['content-type']), /^application\/problem\+json/)
    t.regex(answer.json().detail, reason, name)
  }
  for (const claim of [{ exp: seconds(now) - 29 }, { nbf: seconds(now) + 29 }]) {
    const headers = { authorization: `Bearer ${await sign(claim)}` }
    t.is((await app.inject({ url: '/v1/status', headers })).statusCode, 200, 'within the skew')
  }
})

test('the provider away: 503 for what cannot be known, and known keys go on for a day', async (t) => {
  const { jwt, sign, state, keys } = await openProvider(t)
  const verify = async (token: string) => verifyToken(token, { ...jwt, now: () => now })
  state.isAway = true
  const token = await sign()
  await t.throwsAsync(verify(token), { code: 'unavailable' })
  state.isAway = false
  state.elapsed += 10_000
  t.is((await verify(token)).role, 'engineer')
  state.isAway = true
  state.elapsed += 3_600_000
  t.is((await verify(token)).role, 'engineer')
  keys.set('k2', await pair('ES256'))
  state.elapsed += 10_000
  const unknown = await sign({}, { kid: 'k2' })
  await t.throwsAsync(verify(unknown), { code: 'unavailable' })
  state.elapsed += 23 * 3_600_000
  await t.throwsAsync(verify(token), { code: 'unavailable' }, 'not for ever')
  state.isAway = false
  state.elapsed += 10_000
  t.is((await verify(unknown)).role, 'engineer', 'a new key is found')
  keys.delete('k1')
  state.elapsed += 11 * 60_000
  // Nobody waits for a refresh: the keys at hand answer until it is there.
  const refused = () =>
    verify(token).then(
      () => undefined,
      ({ code }: { code: string }) => code,
    )
  const code = await until(refused, { what: 'the key taken back is refused' })
  t.is(code, 'unauthorized')
})

test('made-up key ids do not make it ask the provider again and again', async (t) => {
  const { jwt, sign, state } = await openProvider(t)
  const verify = async (token: string) => verifyToken(token, { ...jwt, now: () => now })
  await verify(await sign())
  const stranger = await pair('ES256')
  for (let i = 0; i < 20; i++) {
    const token = await sign({}, { kid: `made-up-${i}`, key: stranger })
    await t.throwsAsync(verify(token), { code: 'unauthorized' })
  }
  t.is(state.asked, 1)
})
