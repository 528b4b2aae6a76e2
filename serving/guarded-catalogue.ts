// The catalogue as serving sees it: when it fails, the answer is 503 and says so, not 500. Faults of
// the work inside a transaction stay what they are.
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'

function guardQueries(target: Queryable): Queryable {
  return {
    query: (sql, params) =>
      target.query<never>(sql, params).catch((cause: unknown) => {
        throw new ClickledgerError('unavailable', 'The catalogue does not answer.', cause)
      }),
  }
}

/** Turns failures of queries into `unavailable`. */
export function guardCatalogue(catalogue: Catalogue): Catalogue {
  return {
    ...guardQueries(catalogue),
    transaction: (work) => catalogue.transaction((tx) => work(guardQueries(tx))),
    close: () => catalogue.close(),
  }
}
