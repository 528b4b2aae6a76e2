import test from 'ava'
import fc from 'fast-check'
import { seed } from '../tests/support/random-clicks.ts'
import {
  adSalts,
  keyedHash,
  parseEventId,
  partitionKey,
  partitionOf,
  timedUuid,
  visitorOf,
} from './identity.ts'

test('partitions are those of the Java client: murmur2 of the key', (t) => {
  // Vectors of org.apache.kafka.common.utils.UtilsTest.
  const vectors: [string, number][] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ]
  for (const [key, hash] of vectors) {
    t.is(partitionOf(key, 2 ** 31), hash & 0x7fffffff, key)
    t.is(partitionOf(key, 12), (hash & 0x7fffffff) % 12, key)
  }
})

test('an ad spreads over at most its salts; one address stays together', (t) => {
  const keys = new Set(Array.from({ length: 5_000 }, (_, i) => partitionKey('ad', `hash${i}`)))
  t.is(keys.size, adSalts)
  t.is(partitionKey('ad', 'x'), partitionKey('ad', 'x'))
})

test('hashes are short, keyed, and empty for nothing', (t) => {
  const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  t.regex(keyedHash(one, '203.0.113.7'), /^[\w-]{12}$/)
  t.not(keyedHash(one, '203.0.113.7'), keyedHash(two, '203.0.113.7'))
  t.is(keyedHash(one, ''), '')
  t.is(visitorOf('user', 'ip', 'agent'), 'user')
  t.is(visitorOf('', '', 'agent'), '')
  t.not(visitorOf('', 'ip', 'agent'), visitorOf('', 'ip', 'agent2'))
})

test('a timed id is a UUID of its version, ordered by time', (t) => {
  fc.assert(
    fc.property(
      fc.nat({ max: 2 ** 47 }),
      fc.nat({ max: 2 ** 47 }),
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      (a, b, bytes) => {
        const [first, second] = [timedUuid(7, a, bytes), timedUuid(8, b, bytes)]
        t.is(parseEventId(first.toUpperCase()), first)
        t.is(first[14], '7')
        t.is(second[14], '8')
        if (a < b) t.true(first < second)
        t.is(Number.parseInt(first.slice(0, 8) + first.slice(9, 13), 16), a)
      },
    ),
    { seed },
  )
  t.is(parseEventId('not-a-uuid'), undefined)
})
