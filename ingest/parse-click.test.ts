import test from 'ava'
import fc from 'fast-check'
import { limits } from '#schemas/limits.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { type ParsePolicy, parseClick } from './parse-click.ts'

const now = Date.UTC(2026, 10, 22)
const anybody: ParsePolicy = { mayNameAddress: false, isImport: false, now }
const trusted: ParsePolicy = { mayNameAddress: true, isImport: false, now }
const importer: ParsePolicy = { mayNameAddress: true, isImport: true, now }

const reason = (value: unknown, policy = anybody) => {
  const parsed = parseClick(value, policy)
  return parsed.kind === 'reject' ? parsed.reason : undefined
}

test('a click with everything', (t) => {
  const parsed = parseClick(
    {
      event_id: '018F0000-0000-7000-8000-000000000000',
      ad_id: 'ad-1',
      campaign_id: 'c',
      publisher_id: 'p',
      impression_id: 'i',
      user_id: 'any text ✓',
      ip_address: '::ffff:1.2.3.4',
      user_agent: 'a'.repeat(2000),
      timestamp_ms: now,
      referrer_url: 'https://x.example/\u0000',
      additional_params: { sub: '1' },
    },
    trusted,
  )
  if (parsed.kind === 'reject') return t.fail(parsed.detail)
  const { click } = parsed
  t.is(click.event_id, '018f0000-0000-7000-8000-000000000000')
  t.is(click.address, '1.2.3.4')
  t.is(click.user_agent.length, limits.userAgentCharsMax)
  t.is(click.referrer_url, 'https://x.example/ ')
  t.deepEqual(click.additional_params, { sub: '1' })
})

test('each fault has its reason', (t) => {
  t.is(reason({ ad_id: 'a' }), undefined)
  for (const value of [
    null,
    1,
    'x',
    [],
    {},
    { ad_id: 7 },
    { ad_id: 'a b' },
    { ad_id: 'x'.repeat(129) },
  ]) {
    t.is(reason(value), 'bad-request', JSON.stringify(value))
  }
  t.is(reason({ ad_id: 'a', pubisher_id: 'x' }), 'bad-request')
  t.is(reason({ ad_id: 'a', event_id: 'x' }), 'bad-request')
  t.is(reason({ ad_id: 'a', ip_address: '1.2.3.4' }), 'forbidden')
  t.is(reason({ ad_id: 'a', ip_address: '1.2.3' }, trusted), 'bad-request')
  t.is(reason({ ad_id: 'a', additional_params: { a: 1 } }), 'bad-request')
  t.is(reason({ ad_id: 'a', additional_params: { a: 'x'.repeat(300) } }), 'bad-request')
  t.is(reason({ ad_id: 'a', timestamp_ms: 1.5 }), 'bad-request')
  t.is(reason({ ad_id: 'a', timestamp_ms: now - 8 * 86_400_000 }), 'event-too-old')
  t.is(reason({ ad_id: 'a', timestamp_ms: now + 6 * 60_000 }), 'event-in-future')
})

test('imports take any time since 2000', (t) => {
  t.is(reason({ ad_id: 'a', timestamp_ms: Date.UTC(2000, 0, 1) }, importer), undefined)
  t.is(reason({ ad_id: 'a', timestamp_ms: 1_700_000_000 }, importer), 'event-too-old')
  t.is(reason({ ad_id: 'a', timestamp_ms: now + 6 * 60_000 }, importer), 'event-in-future')
})

test('any JSON value is a click or a reason', (t) => {
  t.log(`seed ${seed}`)
  const field = fc.constantFrom(
    'ad_id',
    'event_id',
    'timestamp_ms',
    'user_agent',
    'additional_params',
    '__proto__',
  )
  const row = fc.dictionary(fc.oneof(field, fc.string()), fc.jsonValue())
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), row), (value) => {
      t.true(['click', 'reject'].includes(parseClick(value, anybody).kind))
    }),
    { seed, numRuns: 500 },
  )
})
