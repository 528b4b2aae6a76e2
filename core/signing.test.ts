import { randomBytes } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import { buildClickUrl, type SignatureParams, signClick, verifyClick } from './signing.ts'

const old = randomBytes(32)
const keys = {
  signingKeys: new Map([
    ['k2', randomBytes(32)],
    ['k1', old],
  ]),
  signingKeyId: 'k2',
}
const click = {
  ad_id: 'ad-1',
  publisher_id: 'pub-1',
  impression_id: 'imp-1',
  issued_at: 1000,
  expires_at: 2000,
}

test('a signature holds until its expiry', (t) => {
  const params = signClick(keys, click)
  t.is(params.kid, 'k2')
  t.is(verifyClick(keys, 'ad-1', params, '', 1_999_999), 'valid')
  t.is(verifyClick(keys, 'ad-1', params, '', 2_000_000), 'expired')
})

test('keys rotate: an older key is accepted, an unknown one is not', (t) => {
  const params = signClick({ signingKeys: new Map([['k1', old]]), signingKeyId: 'k1' }, click)
  t.is(verifyClick(keys, 'ad-1', params, '', 0), 'valid')
  t.is(verifyClick(keys, 'ad-1', { ...params, kid: 'k2' }, '', 0), 'bad')
  t.is(verifyClick(keys, 'ad-1', { ...params, kid: 'k9' }, '', 0), 'bad')
})

test('no covered part can be changed', (t) => {
  t.log(`seed ${seed}`)
  const params = signClick(keys, { ...click, redirect_url: 'https://a.example/' })
  t.is(verifyClick(keys, 'ad-1', params, 'https://a.example/', 0), 'valid')
  const part = fc.constantFrom<keyof SignatureParams>(
    'publisher_id',
    'impression_id',
    'iat',
    'exp',
    'kid',
    'sig',
  )
  fc.assert(
    fc.property(part, fc.string(), (name, value) => {
      fc.pre(value !== params[name])
      // base64url ignores foreign characters: the same bytes are the same signature
      fc.pre(
        name !== 'sig' ||
          !Buffer.from(value, 'base64url').equals(Buffer.from(params.sig, 'base64url')),
      )
      const state = verifyClick(keys, 'ad-1', { ...params, [name]: value }, 'https://a.example/', 0)
      t.is(state, name === 'sig' && value === '' ? 'unsigned' : 'bad')
    }),
    { seed },
  )
  t.is(verifyClick(keys, 'ad-2', params, 'https://a.example/', 0), 'bad')
  t.is(verifyClick(keys, 'ad-1', params, 'https://evil.example/', 0), 'bad')
  t.is(verifyClick(keys, 'ad-1', params, '', 0), 'bad')
})

test('click URLs carry everything that is checked', (t) => {
  const url = new URL(buildClickUrl('http://localhost:8080', keys, click))
  t.is(url.pathname, '/click/ad-1')
  const params = Object.fromEntries(url.searchParams) as unknown as SignatureParams
  t.is(verifyClick(keys, 'ad-1', params, '', 0), 'valid')
  const other = new URL(
    buildClickUrl('http://x', keys, { ...click, redirect_url: 'https://a/?b=c&d' }),
  )
  t.is(other.pathname, '/track/click')
  t.is(other.searchParams.get('redirect_url'), 'https://a/?b=c&d')
})
