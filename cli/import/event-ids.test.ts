import { createHash, randomBytes } from 'node:crypto'
import test from 'ava'
import { seed } from '../../tests/support/random-clicks.ts'
import { createRandom, pick } from '../simulate/random.ts'
import { canonicalJson, createOrdinals } from './event-ids.ts'

test('ordinals count like a map, through growth', (t) => {
  const ordinalOf = createOrdinals()
  const naive = new Map<string, number>()
  t.log(`seed ${seed}`)
  const random = createRandom(seed)
  const digests = Array.from({ length: 150_000 }, (_, i) =>
    createHash('sha256').update(`${seed} ${i}`).digest(),
  )
  for (let i = 0; i < 300_000; i++) {
    const digest = pick(random, digests)
    const key = digest.toString('hex')
    const before = naive.get(key) ?? 0
    if (ordinalOf(digest) !== before) return t.fail(`row ${i}`)
    naive.set(key, before + 1)
  }
  t.pass()
})

test('the table has a bound, and says so', (t) => {
  const ordinalOf = createOrdinals(2)
  const [a, b, c] = [randomBytes(8), randomBytes(8), randomBytes(8)]
  t.deepEqual([ordinalOf(a), ordinalOf(b), ordinalOf(a)], [0, 0, 1])
  t.throws(() => ordinalOf(c), { message: /split the file/ })
})

test('equal content is equal text', (t) => {
  t.is(canonicalJson({ b: [1, { d: 'x', c: null }], a: 1 }), '{"a":1,"b":[1,{"c":null,"d":"x"}]}')
})
