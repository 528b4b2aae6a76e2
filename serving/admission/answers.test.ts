import test from 'ava'
import type { SharedCache } from '#platform/shared-cache/port.ts'
import { until } from '#platform/wait.ts'
import { type Computed, createAnswers } from './answers.ts'
import type { Caller } from './caller.ts'
import { createSharedAnswers } from './shared-answers.ts'

type Rows = readonly number[]

/** A store whose answers the test gives. */
function slowStore() {
  const asked: (PromiseWithResolvers<Computed<Rows>> & { caller: Caller })[] = []
  return {
    asked,
    compute: (caller: Caller) => {
      const one = { ...Promise.withResolvers<Computed<Rows>>(), caller }
      asked.push(one)
      return one.promise
    },
  }
}

const kept = (value: Rows): Computed<Rows> => ({ value, isKept: true, cells: value.length })
const options = { cellsMax: 10, ttlMs: 60_000 }
const asking = (store: ReturnType<typeof slowStore>) =>
  until(() => store.asked.at(-1), { everyMs: 2, what: 'asked' })

test('a hundred equal questions are one call of the store; other keys are others', async (t) => {
  const store = slowStore()
  const answers = createAnswers(options)
  const all = Array.from({ length: 100 }, () =>
    answers.of(['q', 1], { tenant: 'a' }, store.compute),
  )
  const other = answers.of(['q', 2], { tenant: 'a' }, store.compute)
  t.is(store.asked.length, 2)
  store.asked[0]?.resolve(kept([1]))
  store.asked[1]?.resolve({ ...kept([2]), isKept: false })
  t.deepEqual(new Set((await Promise.all(all)).flat()), new Set([1]))
  t.deepEqual(await other, [2])
  t.deepEqual(await answers.of(['q', 1], { tenant: 'a' }, store.compute), [1])
  t.is(store.asked.length, 2, 'kept')
  void answers.of(['q', 2], { tenant: 'a' }, store.compute)
  t.is(store.asked.length, 3, 'not kept')
})

test('bounded: what was asked longest ago is forgotten, and what is too large is not kept', async (t) => {
  const store = slowStore()
  const answers = createAnswers(options)
  const ask = async (key: number, size: number) => {
    const before = store.asked.length
    const answer = answers.of(key, { tenant: 'a' }, store.compute)
    if (store.asked.length > before) (await asking(store)).resolve(kept(Array(size).fill(key)))
    await answer
    return store.asked.length > before
  }
  t.true(await ask(1, 6))
  t.false(await ask(1, 6))
  t.true(await ask(2, 6))
  t.true(await ask(1, 6), 'forgotten')
  t.true(await ask(3, 11))
  t.true(await ask(3, 11), 'too large')
})

test('the store is told to stop when the last who waits has gone, and not before', async (t) => {
  const store = slowStore()
  const answers = createAnswers(options)
  const [first, second] = [new AbortController(), new AbortController()]
  const asked = [first, second].map(({ signal }) =>
    answers.of('q', { tenant: 'a', signal }, store.compute),
  )
  const { caller } = await asking(store)
  first.abort()
  await t.throwsAsync(asked[0] as Promise<Rows>, { code: 'client-gone' })
  t.false(caller.signal?.aborted)
  second.abort()
  await t.throwsAsync(asked[1] as Promise<Rows>, { code: 'client-gone' })
  t.true(caller.signal?.aborted)
  const again = answers.of('q', { tenant: 'a' }, store.compute)
  t.is(store.asked.length, 2, 'who comes now does not wait for what was given up')
  store.asked[0]?.reject(new Error('aborted'))
  store.asked[1]?.resolve(kept([1]))
  t.deepEqual(await again, [1])
})

test('a failure is everyone’s who waited, and nobody’s who comes later', async (t) => {
  const store = slowStore()
  const answers = createAnswers(options)
  const asked = [1, 2].map(() => answers.of('q', { tenant: 'a' }, store.compute))
  store.asked[0]?.reject(new Error('down'))
  for (const one of asked) await t.throwsAsync(one, { message: 'down' })
  const again = answers.of('q', { tenant: 'a' }, store.compute)
  store.asked[1]?.resolve(kept([1]))
  t.deepEqual(await again, [1])
})

function memoryCache(): SharedCache & { entries: Map<string, string> } {
  const entries = new Map<string, string>()
  return {
    entries,
    isUp: true,
    get: async (key) => {
      const value = entries.get(key)
      return value === undefined ? { kind: 'miss' } : { kind: 'hit', value }
    },
    set: async (key, value) => entries.set(key, value) !== undefined,
    close: async () => {},
  }
}

test('processes share answers, under a seal', async (t) => {
  const cache = memoryCache()
  const process = (secret: string) =>
    createAnswers({
      ...options,
      shared: createSharedAnswers({ cache, sealKey: Buffer.from(secret), ttlMs: 1_000 }),
    })
  const store = slowStore()
  const ask = async (answers: ReturnType<typeof process>, key: string) => {
    const before = store.asked.length
    const answer = answers.of(key, { tenant: 'a' }, store.compute)
    await new Promise(setImmediate)
    if (store.asked.length > before) store.asked.at(-1)?.resolve(kept([store.asked.length]))
    return answer
  }
  t.deepEqual(await ask(process('one'), 'q'), [1])
  t.deepEqual(await ask(process('one'), 'q'), [1], 'from the other process')
  t.deepEqual(await ask(process('two'), 'q'), [2], 'of another secret')
  // Somebody puts the answer of one question in the place of another.
  const [key = '', value = ''] = [...cache.entries][0] ?? []
  await ask(process('two'), 'other')
  const otherKey = [...cache.entries.keys()].find((one) => one !== key) ?? ''
  cache.entries.set(otherKey, value)
  t.deepEqual(await ask(process('two'), 'other'), [4])
  cache.entries.set(key, 'no seal at all')
  t.deepEqual(await ask(process('two'), 'q'), [5])
})
