import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { createRefreshed } from './refreshed.ts'

/** Readings that end when the test says so. */
function readings() {
  const begun: PromiseWithResolvers<string>[] = []
  const read = () => {
    const reading = Promise.withResolvers<string>()
    begun.push(reading)
    return reading.promise
  }
  return { begun, read }
}
const never = Number.POSITIVE_INFINITY

test('many who ask share one reading, and what is fresh is not read again', async (t) => {
  const { begun, read } = readings()
  const { get } = createRefreshed(read, { freshMs: never, givenMs: never })
  const asked = [get(), get()]
  begun[0]?.resolve('a')
  t.deepEqual(await Promise.all(asked), ['a', 'a'])
  t.is(await get(), 'a')
  t.is(begun.length, 1)
})

test('an old value is given while the new one is read', async (t) => {
  const { begun, read } = readings()
  const { get } = createRefreshed(read, { freshMs: 0, givenMs: never })
  const first = get()
  begun[0]?.resolve('a')
  await first
  t.is(await get(), 'a')
  begun[1]?.reject(new Error('away'))
  await setImmediate()
  t.is(await get(), 'a', 'a failure is nobody’s who did not wait')
  begun[2]?.resolve('b')
  await setImmediate()
  t.is(await get(), 'b')
})

test('beyond that age whoever asks waits, and is told', async (t) => {
  const { begun, read } = readings()
  const { get } = createRefreshed(read, { freshMs: 0, givenMs: 0 })
  const first = get()
  begun[0]?.resolve('a')
  await first
  const second = get()
  begun[1]?.reject(new Error('away'))
  await t.throwsAsync(second, { message: 'away' })
})

test('anew: not what was already being read', async (t) => {
  const { begun, read } = readings()
  const { get, anew } = createRefreshed(read, { freshMs: never, givenMs: never })
  const first = get()
  const asked = [anew(), anew()]
  begun[0]?.resolve('a')
  await first
  await setImmediate()
  t.is(begun.length, 2, 'both share the next')
  begun[1]?.resolve('b')
  t.deepEqual(await Promise.all(asked), ['b', 'b'])
})
