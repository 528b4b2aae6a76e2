import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import { canonicalAddress, clientAddress, networkPrefix, parseNetworks } from './network.ts'

const trusted = parseNetworks('TEST', ['127.0.0.0/8', '10.0.0.0/8', '::1/128'])

test('addresses become canonical', (t) => {
  t.is(canonicalAddress('1.2.3.4'), '1.2.3.4')
  t.is(canonicalAddress('::ffff:1.2.3.4'), '1.2.3.4')
  t.is(canonicalAddress('2001:DB8:0:0::1'), '2001:db8::1')
  for (const text of ['', '1.2.3', '1.2.3.4.5', 'fe80::1%eth0', 'x', '1.2.3.4:80']) {
    t.is(canonicalAddress(text), undefined, text)
  }
})

test('prefixes are /24 and /48', (t) => {
  t.is(networkPrefix('1.2.3.4'), '1.2.3.0/24')
  t.is(networkPrefix('2001:db8:1:2::3'), '2001:db8:1::/48')
  t.is(networkPrefix('2001:db8::3'), '2001:db8:0::/48')
  t.is(networkPrefix('::1'), '0:0:0::/48')
  t.is(networkPrefix('1:2:3:4:5:6:7:8'), '1:2:3::/48')
})

test('every entry that is no network is named', (t) => {
  t.throws(() => parseNetworks('CLICKLEDGER_X', ['10.0.0.0/8', 'x', '1.2.3.4/33', '1.2.3.4/8/9']), {
    code: 'invalid-settings',
    message: 'CLICKLEDGER_X: no networks: x, 1.2.3.4/33, 1.2.3.4/8/9',
  })
  t.true(parseNetworks('X', ['1.2.3.4']).has('1.2.3.4'))
  t.true(parseNetworks('X', ['2001:db8::/32']).has('2001:db8::1'))
})

test('X-Forwarded-For is believed as far as trusted proxies wrote it', (t) => {
  const client = (remote: string, forwarded: string) => clientAddress(remote, forwarded, trusted)
  t.is(client('9.9.9.9', '1.1.1.1'), '9.9.9.9', 'not from a trusted proxy')
  t.is(client('127.0.0.1', ''), '127.0.0.1')
  t.is(client('127.0.0.1', '1.1.1.1'), '1.1.1.1')
  t.is(client('127.0.0.1', '6.6.6.6, 1.1.1.1, 10.1.1.1'), '1.1.1.1', '6.6.6.6 is what 1.1.1.1 said')
  t.is(client('127.0.0.1', 'unknown, 10.1.1.1'), '10.1.1.1')
  t.is(client('127.0.0.1', '1.1.1.1:4711'), '1.1.1.1')
  t.is(client('127.0.0.1', '[2001:db8::1]:4711'), '2001:db8::1')
})

test('whatever the header says, the client is an address', (t) => {
  t.log(`seed ${seed}`)
  const hop = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string())
  fc.assert(
    fc.property(fc.array(hop), (hops) => {
      const client = clientAddress('127.0.0.1', hops.join(', '), trusted)
      t.is(canonicalAddress(client), client)
      t.regex(networkPrefix(client), /\/(24|48)$/)
    }),
    { seed },
  )
})
