// The contract of a shared cache. A cache may always know nothing; what it says must be what was
// put there last, and it must say it, or that it doesn't know, without ever failing.
import { randomBytes } from 'node:crypto'
import type { ExecutionContext, TestFn } from 'ava'
import { until } from '../wait.ts'
import type { SharedCache } from './port.ts'

export interface SharedCacheContract {
  open(t: ExecutionContext): Promise<SharedCache>
  /** Whether it ever knows anything. */
  readonly remembers: boolean
}

const fresh = () => `ad:${randomBytes(6).toString('hex')}`
const poll = { everyMs: 5 }

export function testSharedCacheContract(
  test: TestFn,
  name: string,
  { open, remembers }: SharedCacheContract,
): void {
  test(`${name}: nothing is known of what nobody put there`, async (t) => {
    const cache = await open(t)
    t.is(cache.isUp, remembers)
    const found = await Promise.all(Array.from({ length: 600 }, () => cache.get(fresh())))
    for (const { kind } of found) t.not(kind, 'hit')
  })

  test(`${name}: what is said is what was put there last`, async (t) => {
    const cache = await open(t)
    const keys = Array.from({ length: 700 }, fresh)
    const values = ['', 'ü"\n\0{}', 'x'.repeat(20_000)]
    for (const value of ['old', 'new']) {
      for (const [i, key] of keys.entries()) {
        void cache.set(key, `${value} ${i} ${values[i % 3]}`, 60_000)
      }
      t.is(await cache.set('last', value, 60_000), remembers)
    }
    for (const [i, key] of keys.entries()) {
      const lookup = await cache.get(key)
      if (lookup.kind === 'hit') t.is(lookup.value, `new ${i} ${values[i % 3]}`)
    }
    if (!remembers) return
    for (const key of keys.slice(0, 20)) {
      await until(async () => (await cache.get(key)).kind === 'hit', { ...poll, what: key })
    }
  })

  test(`${name}: a value lives no longer than it was given`, async (t) => {
    const cache = await open(t)
    const [short, none] = [fresh(), fresh()]
    await cache.set(short, 'x', 50)
    t.false(await cache.set(none, 'x', 0))
    t.false(await cache.set(none, 'x', -1))
    t.not((await cache.get(none)).kind, 'hit')
    const isGone = async () => ['miss', 'away'].includes((await cache.get(short)).kind)
    await until(isGone, { ...poll, what: 'it is forgotten' })
    t.pass()
  })

  test(`${name}: closed, it knows nothing, and says so`, async (t) => {
    const cache = await open(t)
    await cache.close()
    await cache.close()
    t.false(cache.isUp)
    t.is((await cache.get('a')).kind, 'away')
    t.false(await cache.set('a', 'x', 1_000))
  })
}
