// Lookups of one turn of the event loop become one question, and no lookup waits longer than its
// budget. A question without an answer goes on counting: few of them, and nothing is asked any more.
import type { Lookup } from './port.ts'

export interface BatchLimits {
  readonly budgetMs: number
  readonly keysMax: number
  readonly questionsMax: number
}

interface Waiting {
  readonly key: string
  readonly resolve: (lookup: Lookup) => void
}

const miss: Lookup = { kind: 'miss' }
const timeout: Lookup = { kind: 'timeout' }
const away: Lookup = { kind: 'away' }

/** @param ask - values in the order of the keys; null where there is none */
export function createBatches(
  ask: (keys: string[]) => Promise<readonly (string | null)[]>,
  { budgetMs, keysMax, questionsMax }: BatchLimits,
): (key: string) => Promise<Lookup> {
  let waiting: Waiting[] = []
  let questions = 0

  const send = async (batch: readonly Waiting[]): Promise<void> => {
    let isOver = false
    const settle = (lookupOf: (i: number) => Lookup) => {
      if (isOver) return
      isOver = true
      clearTimeout(timer)
      for (const [i, { resolve }] of batch.entries()) resolve(lookupOf(i))
    }
    // After a stall of this process the answer may lie in the socket: it is read before the budget
    // is called spent.
    const timer = setTimeout(() => setImmediate(settle, () => timeout), budgetMs)
    questions++
    try {
      const values = await ask(batch.map(({ key }) => key))
      settle((i) => {
        const value = values[i]
        return typeof value === 'string' ? { kind: 'hit', value } : miss
      })
    } catch {
      settle(() => away)
    } finally {
      questions--
    }
  }

  const flush = (): void => {
    const all = waiting
    waiting = []
    for (let first = 0; first < all.length; first += keysMax) {
      const batch = all.slice(first, first + keysMax)
      if (questions < questionsMax) void send(batch)
      else for (const { resolve } of batch) resolve(away)
    }
  }

  return (key) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ key, resolve })
    })
}
