// What is shown, as a file: the same request, answered as CSV. Fetched with the key in a header and
// saved from memory, so that no address ever holds a key.
import { resolveRange } from '../shared/time.js'
import { drillQuery, seriesQuery } from './load.js'

/**
 * @param {'series' | 'drill'} what
 * @param {import('./state.js').State} state
 * @param {{ api: import('../shared/api.js').Api, me: { role: string } }} reader
 */
export function saveCsv(what, state, { api, me }) {
  const { range, granularity } = resolveRange(state, api.now())
  const [path, query] =
    what === 'series'
      ? ['timeseries', seriesQuery(state, range, granularity)]
      : ['topN', drillQuery(state, range, me)]
  const day = (ms) => new Date(ms).toISOString().slice(0, 10)
  const name = `clicks-${query.dimension ?? granularity}-${day(range.start)}-${day(range.end - 1)}.csv`
  return api.save(`/v1/reports/clicks/${path}`, { ...query, format: 'csv' }, name)
}
