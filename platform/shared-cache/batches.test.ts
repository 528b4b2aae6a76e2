import test from 'ava'
import { createBatches } from './batches.ts'

type Answer = readonly (string | null)[]

/** Questions that the test answers when it likes. */
function createServer() {
  const asked: { keys: string[]; answer(values: Answer): void; fail(): void }[] = []
  const ask = (keys: string[]) =>
    new Promise<Answer>((answer, reject) => {
      asked.push({ keys, answer, fail: () => reject(new Error('lost')) })
    })
  return { asked, ask }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const never = 60_000

test('one question for the lookups of a turn, cut to the limit', async (t) => {
  const { asked, ask } = createServer()
  const get = createBatches(ask, { budgetMs: never, keysMax: 3, questionsMax: 2 })
  const found = Promise.all(['a', 'b', 'c', 'd'].map(get))
  await turn()
  t.deepEqual(
    asked.map(({ keys }) => keys),
    [['a', 'b', 'c'], ['d']],
  )
  asked[1]?.answer(['D'])
  asked[0]?.answer(['A', null, 'C'])
  t.deepEqual(await found, [
    { kind: 'hit', value: 'A' },
    { kind: 'miss' },
    { kind: 'hit', value: 'C' },
    { kind: 'hit', value: 'D' },
  ])
})

test('no answer in time: a timeout, and soon nothing is asked any more', async (t) => {
  const { asked, ask } = createServer()
  const get = createBatches(ask, { budgetMs: 5, keysMax: 10, questionsMax: 2 })
  t.is((await get('a')).kind, 'timeout')
  t.is((await get('b')).kind, 'timeout')
  for (let i = 0; i < 100; i++) t.is((await get('c')).kind, 'away')
  t.is(asked.length, 2, 'those without an answer still count')
  asked[0]?.answer(['late'])
  asked[1]?.fail()
  await turn()
  const next = get('d')
  await turn()
  asked[2]?.answer(['D'])
  t.deepEqual(await next, { kind: 'hit', value: 'D' })
})

test('a question that fails, and an answer that is too short', async (t) => {
  const { asked, ask } = createServer()
  const get = createBatches(ask, { budgetMs: never, keysMax: 10, questionsMax: 2 })
  const failed = get('a')
  await turn()
  asked[0]?.fail()
  t.is((await failed).kind, 'away')
  const short = Promise.all([get('a'), get('b')])
  await turn()
  asked[1]?.answer(['A'])
  t.deepEqual(await short, [{ kind: 'hit', value: 'A' }, { kind: 'miss' }])
})
