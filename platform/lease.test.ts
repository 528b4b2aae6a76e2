import test from 'ava'
import { openTestCatalogue } from '../tests/support/catalogue.ts'
import { createLease } from './lease.ts'

const name = 'work'

test('one of two has it; when its time is over the other takes it, and the first is fenced', async (t) => {
  const catalogue = await openTestCatalogue(t)
  let time = 1_000_000
  const make = (holder: string) =>
    createLease({ catalogue, name, holder, ttlMs: 60_000, now: () => time })
  const [a, b] = [make('a'), make('b')]
  t.teardown(() => Promise.all([a.release(), b.release()]))
  t.true(await a.acquire())
  t.false(await b.acquire())
  t.false(b.isHeld)
  t.throws(() => b.assertHeld(), { code: 'fenced' })
  await catalogue.transaction((tx) => a.guard(tx))

  time += 60_001 // to the others `a` is dead; it does not know yet
  t.true(await b.acquire())
  t.true(a.isHeld, 'by its own clock')
  await t.throwsAsync(
    catalogue.transaction((tx) => a.guard(tx)),
    { code: 'fenced' },
  )
  t.false(a.isHeld)
  await catalogue.transaction((tx) => b.guard(tx))
})

test('given back it is free at once; started again a holder takes over from itself, once', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const make = (holder: string) => createLease({ catalogue, name, holder })
  const first = make('a')
  t.true(await first.acquire())
  const again = make('a')
  t.true(await again.acquire())
  await t.throwsAsync(
    catalogue.transaction((tx) => first.guard(tx)),
    { code: 'fenced' },
  )
  t.false(await first.acquire(), 'two of one name do not fight')
  await again.release()
  const other = make('b')
  t.true(await other.acquire())
  await other.release()
})
