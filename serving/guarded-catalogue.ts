// The catalogue as serving sees it. While it is away, what was read from it lately is read again
// from memory, for a bounded time: reports go on at the last boundary. Nothing is written so, and
// what was not read before is 503, not 500. Faults of the work inside a transaction stay what they are.
import { LRUCache } from 'lru-cache'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { within } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'

/**
 * How old an answer from memory may be. The boundary moves by whole hours and what lies above an old
 * one is in the speed view for days, so an old boundary still gives whole answers: only what batch
 * has corrected since is missing from them.
 */
const rememberedMs = 60_000
const rememberedRowsMax = 50_000
/** A catalogue that hangs is as good as away, long before its own time-outs. */
const readMs = 1_500
/** After a failure memory answers at once for so long: a report reads many things. */
const retryMs = 1_000

const isRead = (sql: string): boolean => /^\s*SELECT\b/i.test(sql)

/** The adapter's own words name hosts: they are for the log. */
const ambiguous = 'The catalogue does not answer. It may be done or not: ask again.'

const isAway = (error: unknown): boolean =>
  error instanceof ClickledgerError && error.code === 'unavailable'

/** The catalogue's own refusals of a request pass; all else means that it does not answer. */
function unavailable(cause: unknown): ClickledgerError {
  if (cause instanceof ClickledgerError && !isAway(cause)) return cause
  return new ClickledgerError('unavailable', 'The catalogue does not answer.', cause)
}

function guardQueries(target: Queryable): Queryable {
  return {
    query: (sql, params) =>
      target.query<never>(sql, params).catch((cause: unknown) => {
        throw unavailable(cause)
      }),
  }
}

/** @param now - milliseconds that only go forward */
export function guardCatalogue(
  catalogue: Catalogue,
  now: () => number = () => performance.now(),
): Catalogue {
  const remembered = new LRUCache<string, { at: number; rows: object[] }>({
    maxSize: rememberedRowsMax,
    sizeCalculation: ({ rows }) => 1 + rows.length,
  })

  let askAgainAt = Number.NEGATIVE_INFINITY

  const read = async <Row extends object>(
    sql: string,
    params: Parameters<Queryable['query']>[1],
  ) => {
    const key = JSON.stringify([sql, params])
    const before = remembered.get(key)
    const known = before && now() - before.at <= rememberedMs ? (before.rows as Row[]) : undefined
    if (known && now() < askAgainAt) return known
    try {
      const rows = await within(catalogue.query<Row>(sql, params), readMs)
      remembered.set(key, { at: now(), rows })
      return rows
    } catch (cause) {
      const error = unavailable(cause)
      if (!isAway(error)) throw error
      askAgainAt = now() + retryMs
      if (!known) throw error
      return known
    }
  }

  const { query } = guardQueries(catalogue)
  return {
    query: (sql, params) => (isRead(sql) ? read(sql, params) : query(sql, params)),
    transaction: (work) =>
      catalogue
        .transaction((tx) => work(guardQueries(tx)))
        .catch((error: unknown) => {
          throw isAway(error) ? new ClickledgerError('unavailable', ambiguous, error) : error
        }),
    close: () => catalogue.close(),
  }
}
