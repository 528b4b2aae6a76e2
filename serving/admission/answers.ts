// Equal questions are answered once: those who ask while the answer is made wait for the same one, and
// it is kept for those who come later. A key must name everything that the answer depends on, the
// tenant's predicate included: nothing here is ever invalidated, only forgotten.
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Caller } from './caller.ts'
import type { SharedAnswers } from './shared-answers.ts'

export interface Computed<T> {
  readonly value: T
  /** Whether it may be given to who asks later. */
  readonly isKept: boolean
  /** Numbers and texts in it. */
  readonly cells: number
}

export interface AnswersOptions {
  /** Cells of all answers that are kept. */
  readonly cellsMax: number
  readonly ttlMs: number
  /** Answers of other processes. */
  readonly shared?: SharedAnswers
  /** Told where each answer came from. */
  onAnswer?(from: 'memory' | 'flight' | 'shared' | 'store'): void
}

export interface Answers {
  /**
   * @param key - the question, and all that its answer depends on; JSON
   * @param compute - on behalf of whoever asked first; its signal aborts when all who wait have gone
   * @throws what `compute` throws; ClickledgerError `client-gone`
   */
  of<T extends object>(
    key: unknown,
    caller: Caller,
    compute: (caller: Caller) => Promise<Computed<T>>,
  ): Promise<T>
}

interface Flight {
  readonly answer: Promise<object>
  readonly stop: AbortController
  waiting: number
}

/** No cache and no flights: every question is computed. */
export const noAnswers: Answers = {
  of: async (_, caller, compute) => (await compute(caller)).value,
}

export function createAnswers(options: AnswersOptions): Answers {
  const { cellsMax, ttlMs, shared, onAnswer } = options
  const kept = new LRUCache<string, object>({ maxSize: cellsMax, ttl: ttlMs })
  const flights = new Map<string, Flight>()

  const keep = (id: string, value: object, cells: number) =>
    kept.set(id, value, { size: Math.max(1, cells) })

  const make = async <T extends object>(
    id: string,
    caller: Caller,
    compute: (caller: Caller) => Promise<Computed<T>>,
  ): Promise<T> => {
    const found = shared ? await shared.get<Computed<T>>(id) : undefined
    if (found) {
      onAnswer?.('shared')
      keep(id, found.value, found.cells)
      return found.value
    }
    onAnswer?.('store')
    const made = await compute(caller)
    if (made.isKept) {
      keep(id, made.value, made.cells)
      shared?.set(id, made)
    }
    return made.value
  }

  const join = <T extends object>(id: string, flight: Flight, signal?: AbortSignal): Promise<T> => {
    flight.waiting++
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(new ClickledgerError('client-gone'))
        if (--flight.waiting > 0) return
        flight.stop.abort()
        if (flights.get(id) === flight) flights.delete(id)
      }
      if (signal?.aborted) return leave()
      signal?.addEventListener('abort', leave, { once: true })
      flight.answer
        .then((value) => resolve(value as T), reject)
        .finally(() => signal?.removeEventListener('abort', leave))
    })
  }

  return {
    async of<T extends object>(
      key: unknown,
      { tenant, signal }: Caller,
      compute: (caller: Caller) => Promise<Computed<T>>,
    ) {
      const id = createHash('sha256').update(JSON.stringify(key)).digest('base64url')
      const known = kept.get(id)
      if (known) {
        onAnswer?.('memory')
        return known as T
      }
      const running = flights.get(id)
      if (running) {
        onAnswer?.('flight')
        return join<T>(id, running, signal)
      }
      const stop = new AbortController()
      const answer = make(id, { tenant, signal: stop.signal }, compute).finally(() => {
        if (flights.get(id)?.answer === answer) flights.delete(id)
      })
      const flight: Flight = { answer, stop, waiting: 0 }
      flights.set(id, flight)
      return join<T>(id, flight, signal)
    },
  }
}
