import test from 'ava'
import { pause, until } from '#platform/wait.ts'
import { createDirectory } from './directory.ts'

test('known for 30 s, unknown for 5 s, stale while the catalogue is away', async (t) => {
  let now = 0
  let isAway = false
  let loads = 0
  const rows = new Map([['a', { name: 'first' }]])
  const directory = createDirectory(
    async (id) => {
      loads++
      if (isAway) throw new Error('away')
      return { value: rows.get(id), ageMs: 0 }
    },
    () => now,
  )
  t.is(directory.peek('a'), undefined)
  t.deepEqual(await Promise.all([directory.get('a'), directory.get('a')]), [
    rows.get('a'),
    rows.get('a'),
  ])
  t.is(loads, 1, 'one load for all who wait')
  t.is(await directory.get('b'), undefined)
  rows.set('a', { name: 'second' })
  rows.set('b', { name: 'b' })
  now = 4_999
  t.is(directory.peek('a')?.name, 'first')
  t.is(await directory.get('b'), undefined)
  now = 5_000
  t.is((await directory.get('b'))?.name, 'b')
  now = 30_000
  t.is(directory.peek('a'), undefined)
  isAway = true
  t.is((await directory.get('a'))?.name, 'first', 'stale is better than nothing')
  await t.throwsAsync(directory.get('c'), { code: 'unavailable' })
  isAway = false
  now = 30_500
  t.is((await directory.get('a'))?.name, 'second')
})

test('a catalogue that hangs holds nobody up whose ad is remembered', async (t) => {
  let now = 0
  let isHanging = false
  let name = 'first'
  const waiting: (() => void)[] = []
  const directory = createDirectory<{ name: string }>(
    async () => {
      if (isHanging) await new Promise<void>((resolve) => waiting.push(resolve))
      return { value: { name }, ageMs: 0 }
    },
    () => now,
  )
  await directory.get('a')
  isHanging = true
  name = 'second'
  now = 30_000
  // Long before the load gives up. Of two timers the shorter one ends first on any machine.
  t.is((await Promise.race([directory.get('a'), pause(1_000)]))?.name, 'first')
  t.is(directory.peek('a')?.name, 'first', 'the next one does not wait at all')
  isHanging = false
  for (const go of waiting) go()
  await until(() => directory.peek('a')?.name === 'second', {
    what: 'the late answer is taken all the same',
  })
})
