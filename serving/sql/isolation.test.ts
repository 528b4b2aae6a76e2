import test from 'ava'
import { seed } from '../../tests/support/random-clicks.ts'
import { openEmbedded } from './testing/embedded.ts'
import { tryIsolation, withoutPredicate } from './testing/isolation.ts'
import { clicksOf, fill } from './testing/rig.ts'

const statements = Number(process.env.HOSTILE_STATEMENTS ?? 10_000)

test('10,000 hostile statements see not one row of another tenant', async (t) => {
  t.timeout(600_000) // 40 s on two cores of its own
  t.log(`seed ${seed}`)
  const [alone, shared] = [await openEmbedded(t), await openEmbedded(t)]
  const [batch, speed] = [clicksOf('mine', 40, seed), clicksOf('mine', 40, seed + 1)]
  await fill(alone, batch, speed)
  const others = [clicksOf('foreign', 40, seed + 2), clicksOf('foreign', 40, seed + 3)] as const
  await fill(shared, [...batch, ...others[0]], [...speed, ...others[1]])
  const stores = { alone: alone.store, shared: shared.store, seed }

  const { answered, refused, leaks } = await tryIsolation({ ...stores, count: statements })
  t.log(`${answered} answered, ${refused} refused`)
  t.deepEqual(leaks.slice(0, 3), [])
  t.true(answered > statements / 3, 'the statements are mostly understood')

  for (const which of ['all', 'last'] as const) {
    const mutate = (statement: Parameters<typeof withoutPredicate>[0]) =>
      withoutPredicate(statement, which)
    const broken = await tryIsolation({ ...stores, count: 100, mutate })
    t.true(broken.leaks.length > 10, `a predicate that is gone from ${which} is noticed`)
  }
})
