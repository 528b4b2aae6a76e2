import test from 'ava'
import { hourMs } from '#schemas/paths.ts'
import { hourly } from './hourly.ts'

/** A step with its clock; `pieces` is what the work says, piece by piece, in the end always "no more". */
function setUp(...pieces: (boolean | Error)[]) {
  let time = Date.UTC(2026, 0, 5)
  let done = 0
  const work = async () => {
    done++
    const said = pieces.shift() ?? false
    if (said instanceof Error) throw said
    return said
  }
  const step = hourly(work, () => time)
  return {
    /** @returns how often the work was done by then */
    async after(ms: number) {
      time += ms
      await step()
      return done
    },
    done: () => done,
  }
}

test('work is done at the first look, and then once an hour', async (t) => {
  const { after } = setUp()
  t.is(await after(0), 1)
  t.is(await after(hourMs - 1), 1)
  t.is(await after(1), 2)
  t.is(await after(5 * hourMs), 3)
})

test('a piece that leaves more to do is followed by another at the next look', async (t) => {
  const { after } = setUp(true, true)
  t.is(await after(0), 1)
  t.is(await after(0), 2)
  t.is(await after(0), 3)
  t.is(await after(hourMs - 1), 3)
})

test('work that fails is told, and due again in an hour', async (t) => {
  const { after, done } = setUp(true, new Error('no answer'))
  t.is(await after(0), 1)
  await t.throwsAsync(after(0), { message: 'no answer' })
  t.is(await after(hourMs - 1), 2)
  t.is(await after(1), 3)
  t.is(done(), 3)
})
