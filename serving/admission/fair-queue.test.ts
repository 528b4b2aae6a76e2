import test from 'ava'
import fc from 'fast-check'
import { seed } from '../../tests/support/random-clicks.ts'
import { createFairQueue, type FairLimits } from './fair-queue.ts'

type Step =
  | { readonly kind: 'enter'; readonly tenant: string }
  | { readonly kind: 'leave' | 'give-up'; readonly at: number }

/** Fairness by the letter: of those who may, the one whose last turn is longest ago. */
function createModel({ concurrentMax, tenantMax, waitingMax }: FairLimits) {
  const turns = new Map<string, number>()
  let turn = 0
  let running: { id: number; tenant: string }[] = []
  let waiting: { id: number; tenant: string }[] = []
  const of = (list: { tenant: string }[], tenant: string) =>
    list.filter((one) => one.tenant === tenant).length
  const take = (one: { id: number; tenant: string }) => {
    running.push(one)
    turns.set(one.tenant, turn++)
  }
  const forget = () => {
    for (const tenant of turns.keys()) {
      if (of(running, tenant) + of(waiting, tenant) === 0) turns.delete(tenant)
    }
  }
  return {
    state: () => ({
      running: running.map(({ id }) => id).sort((a, b) => a - b),
      waiting: waiting.map(({ id }) => id).sort((a, b) => a - b),
    }),
    enter(id: number, tenant: string) {
      const one = { id, tenant }
      if (running.length < concurrentMax && of(running, tenant) < tenantMax) return take(one)
      if (waiting.length >= waitingMax) {
        const tenants = [...turns.keys()].sort((a, b) => (turns.get(a) ?? 0) - (turns.get(b) ?? 0))
        const [longest] = tenants.sort((a, b) => of(waiting, b) - of(waiting, a))
        if (!longest || of(waiting, longest) <= of(waiting, tenant) + 1) return
        const last = waiting.findLast((other) => other.tenant === longest)
        waiting = waiting.filter((other) => other !== last)
      }
      if (!turns.has(tenant)) turns.set(tenant, turn++)
      waiting.push(one)
    },
    leave(id: number) {
      running = running.filter((one) => one.id !== id)
      forget()
      const next = waiting
        .filter(({ tenant }) => of(running, tenant) < tenantMax)
        .sort((a, b) => (turns.get(a.tenant) ?? 0) - (turns.get(b.tenant) ?? 0) || a.id - b.id)[0]
      if (!next) return
      waiting = waiting.filter((one) => one !== next)
      take(next)
    },
    giveUp(id: number) {
      waiting = waiting.filter((one) => one.id !== id)
      forget()
    },
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

async function play(limits: FairLimits, steps: readonly Step[]): Promise<void> {
  const queue = createFairQueue(limits)
  const model = createModel(limits)
  const running = new Map<number, () => void>()
  const waiting = new Map<number, AbortController>()
  let id = 0
  for (const step of steps) {
    const { running: inPlace, waiting: outside } = model.state()
    if (step.kind === 'enter') {
      const mine = id++
      const gone = new AbortController()
      waiting.set(mine, gone)
      queue
        .enter(step.tenant, gone.signal)
        .then((leave) => running.set(mine, leave))
        .catch(() => {})
        .finally(() => waiting.delete(mine))
      model.enter(mine, step.tenant)
    } else if (step.kind === 'leave') {
      const one = inPlace[step.at % Math.max(1, inPlace.length)]
      if (one === undefined) continue
      running.get(one)?.()
      running.delete(one)
      model.leave(one)
    } else {
      const one = outside[step.at % Math.max(1, outside.length)]
      if (one === undefined) continue
      waiting.get(one)?.abort(new Error('gone'))
      model.giveUp(one)
    }
    await settle()
    const seen = {
      running: [...running.keys()].sort((a, b) => a - b),
      waiting: [...waiting.keys()].sort((a, b) => a - b),
    }
    const [a, b] = [JSON.stringify(seen), JSON.stringify(model.state())]
    if (a !== b) throw new Error(`after ${JSON.stringify(step)}: ${a}, expected ${b}`)
    const load = queue.load()
    if (load.running !== running.size || load.waiting !== waiting.size) throw new Error('load')
  }
}

test('turns are taken as the naive model takes them', async (t) => {
  t.log({ seed })
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('enter' as const),
      tenant: fc.constantFrom('a', 'a', 'a', 'b', 'c'),
    }),
    fc.record({ kind: fc.constantFrom('leave' as const, 'give-up' as const), at: fc.nat(20) }),
  )
  const limits = fc.record({
    concurrentMax: fc.integer({ min: 1, max: 4 }),
    tenantMax: fc.integer({ min: 1, max: 3 }),
    waitingMax: fc.integer({ min: 0, max: 6 }),
  })
  await fc.assert(fc.asyncProperty(limits, fc.array(step, { maxLength: 60 }), play), {
    seed,
    numRuns: 200,
  })
  t.pass()
})

test('a greedy tenant delays nobody by more than the queries under way', async (t) => {
  const queue = createFairQueue({ concurrentMax: 4, tenantMax: 3, waitingMax: 100 })
  const greedy = Array.from({ length: 100 }, () => queue.enter('greedy'))
  greedy.forEach((one) => void one.catch(() => {}))
  const modest = await queue.enter('modest')
  modest()
  t.deepEqual(queue.load(), { running: 3, waiting: 97 }, 'a place is kept for others')
})
