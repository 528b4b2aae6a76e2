// Settling held against brokers that may forget any marker, and workers that die at any step: at the
// end every input is worked on once, and nothing is open.
import test from 'ava'
import { seededRandom } from '../../tests/support/click-load.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { type InputSpan, joined, settle, spanOf, transactionText } from './kafka-settlement.ts'

const random = seededRandom(seed)
const chance = (probability: number): boolean => random() < probability
const partitions = 3
const inputs = 40

interface Written extends InputSpan {
  readonly inputs: readonly number[]
  state: 'open' | 'committed' | 'aborted'
}

/** What the servers hold: the committed offset, and what was written to each output partition. */
function brokers(forgets: number) {
  const written: Written[][] = Array.from({ length: partitions }, () => [])
  let committed = 0
  return {
    written,
    get committed() {
      return committed
    },
    write(partition: number, span: InputSpan, inputs: readonly number[]) {
      written[partition]?.push({ ...span, inputs, state: 'open' })
    },
    /** Ends a transaction; each marker may be forgotten. */
    end(outcome: 'committed' | 'aborted', of: readonly number[], offset?: number) {
      for (const partition of of) {
        if (chance(forgets)) continue
        for (const one of written[partition] ?? []) if (one.state === 'open') one.state = outcome
      }
      if (offset !== undefined && outcome === 'committed' && !chance(forgets)) committed = offset
    },
    findings() {
      const all = written.flat()
      const visible = Math.max(
        0,
        ...all.filter((one) => one.state === 'committed').map(({ next }) => next),
      )
      const left = all.filter((one) => one.state === 'open')
      const open = left.reduce<InputSpan | undefined>((a, b) => joined(a, b), undefined)
      return { committed, visible, open }
    },
    open: () =>
      [...written.keys()].filter((p) => written[p]?.some(({ state }) => state === 'open')),
  }
}

type Brokers = ReturnType<typeof brokers>

/** The steps of settling; false where the worker died, or the brokers did, on the way. */
function settled(at: Brokers, dies: number): boolean {
  const { start, outcome } = settle(at.findings())
  if (outcome === 'commit') at.end('committed', at.open())
  if (chance(dies)) return false
  if (start !== at.committed) {
    at.end('committed', [], start)
    if (at.committed !== start || chance(dies)) return false
  }
  if (outcome === 'abort') at.end('aborted', at.open())
  return at.open().length === 0
}

function work(at: Brokers, outputOf: readonly (number | undefined)[], dies: number): void {
  let from = settle(at.findings()).start
  while (from < inputs) {
    const next = Math.min(inputs, from + 1 + Math.trunc(random() * 8))
    const into = new Map<number, number[]>()
    for (let input = from; input < next; input++) {
      const partition = outputOf[input]
      if (partition !== undefined) {
        into.set(partition, [...(into.get(partition) ?? []), input])
      }
    }
    const sent: number[] = []
    for (const [partition, some] of into) {
      if (chance(dies)) {
        at.end('aborted', sent)
        return
      }
      at.write(partition, { from, next }, some)
      sent.push(partition)
    }
    if (chance(dies)) {
      at.end('aborted', sent)
      return
    }
    at.end('committed', sent, next)
    // Brokers that forget have died, and the worker has noticed.
    if (chance(dies) || at.open().length > 0 || at.committed !== next) return
    from = next
  }
}

test('whatever brokers forget and whoever dies: every output is there once', (t) => {
  t.log(`seed ${seed}`)
  let worked = 0
  for (let round = 0; round < 3_000; round++) {
    const at = brokers(random() * 0.6)
    const dies = random() * 0.3
    const outputOf = Array.from({ length: inputs }, () =>
      chance(0.8) ? Math.trunc(random() * partitions) : undefined,
    )
    for (let life = 0; life < 10_000; life++) {
      while (!settled(at, dies));
      if (at.committed >= inputs) break
      work(at, outputOf, dies)
      worked++
    }
    const there = at.written.flat().filter(({ state }) => state === 'committed')
    const expected = [...outputOf.keys()].filter((input) => outputOf[input] !== undefined)
    const found = there.flatMap((one) => one.inputs).sort((a, b) => a - b)
    if (String(found) !== String(expected)) return t.deepEqual(found, expected, `round ${round}`)
    if (at.committed !== inputs || at.open().length > 0) return t.fail(`round ${round}`)
  }
  t.true(worked > 6_000, 'workers did die')
})

test('a span is read from headers that its id wrote, and from no other', (t) => {
  const message = (text: string | undefined) => ({
    ...{ offset: '7', timestamp: '0', key: null, value: null },
    batchContext: { producerId: '1', inTransaction: true },
    ...(text !== undefined && { headers: { 'clickledger-transaction': Buffer.from(text) } }),
  })
  const span = { from: 5, next: 12 }
  t.deepEqual(spanOf(message(transactionText('a.b.0', span)), 'a.b.0'), span)
  for (const text of [
    'a.b.0',
    'a.b.0 5',
    'a.b.0 5 5',
    'a.b.0 -1 5',
    'a.b.0 x 9',
    'a.b.01 5 12',
    '',
  ]) {
    t.is(spanOf(message(text), 'a.b.0'), undefined, text)
  }
  t.is(spanOf(message(undefined), 'a.b.0'), undefined)
})
