// A catalogue that can be taken away: it refuses, hangs, or does a write and then loses the answer,
// as a server does that dies while committing.
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'

export type Weather = 'fine' | 'refuses' | 'hangs' | 'loses answers'

export interface FailingCatalogue extends Catalogue {
  weather: Weather
  /** Calls that came while it was not fine. */
  readonly failed: number
}

/** Wraps a catalogue; `weather` says how it is. */
export function failingCatalogue(catalogue: Catalogue): FailingCatalogue {
  let failed = 0
  const away = () => new ClickledgerError('unavailable', 'PostgreSQL does not answer (test)')
  const pass = async <T>(work: () => Promise<T>): Promise<T> => {
    if (own.weather === 'fine') return work()
    failed++
    if (own.weather === 'hangs') return new Promise<T>(() => {})
    if (own.weather === 'loses answers') await work()
    throw away()
  }
  const query: Queryable['query'] = (sql, params) => pass(() => catalogue.query(sql, params))
  const own: FailingCatalogue = {
    weather: 'fine',
    get failed() {
      return failed
    },
    query,
    transaction: (work) => pass(() => catalogue.transaction(work)),
    close: () => catalogue.close(),
  }
  return own
}
