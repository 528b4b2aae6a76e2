// What is asked of the API for one state of the page, and the answers as one value. Unique users
// are asked for the whole range: they must never be added up over buckets.
import { countsOf, grossOf, instant } from './buckets.js'
import { filtersBut, formatFilters } from './filters.js'
import { minuteMs, resolveRange } from './time.js'

const sums = 'click_count,gross_click_count,duplicate_click_count,fraudulent_click_count'
const topMax = 8
const timeseries = '/v1/reports/clicks/timeseries'

/**
 * @typedef {object} Loaded
 * @property {import('./state.js').State} state what was asked
 * @property {import('./time.js').Range} range
 * @property {import('./time.js').Granularity} granularity
 * @property {number} boundary ms; NaN where the server did not say
 * @property {number} watermark ms; NaN where the server did not say
 * @property {string} detail the server's own words where it is behind; else empty
 * @property {Record<string, any>[]} rows
 * @property {number | undefined} finalValid valid clicks below the boundary, where bars cannot tell
 * @property {number} users distinct, over the whole range
 * @property {boolean} usersApproximate
 * @property {Comparison} comparison
 * @property {Record<string, Record<string, any>[]>} tops rows by dimension
 *
 * @typedef {object} Comparison the range's complete minutes against as many before it
 * @property {import('./time.js').Range} range
 * @property {Totals} now
 * @property {Totals} before
 *
 * @typedef {{ gross: number, valid: number, duplicate: number, invalid: number, users: number }} Totals
 */

/** The dimensions broken down below the chart; the last is the reader's choice. */
export const panelDimensions = (state) => [
  ...new Set(['ad_id', 'country', 'device_type', state.by]),
]

/**
 * @param {import('./api.js').Api} api
 * @param {import('./state.js').State} state
 * @param {AbortSignal} signal
 * @returns {Promise<Loaded>}
 */
export async function load(api, state, signal) {
  const now = api.now()
  const { range, granularity } = resolveRange(state, now)
  const common = query(state, range, state.filters)
  const total = (span) => totalsOf(api, { ...common, ...bounds(span) }, signal)
  const compared = { start: range.start, end: completeUntil(range, now) }
  const before = { start: 2 * compared.start - compared.end, end: compared.start }

  const [freshness, series, whole, complete, earlier, settled, ...tops] = await Promise.all([
    // A report that did not change comes from the browser's cache, with the watermark of then.
    api.get('/v1/freshness', signal),
    api.report(timeseries, { ...common, granularity, metrics: sums }, signal),
    total(range),
    compared.end === range.end ? undefined : total(compared),
    total(before),
    // A bucket longer than an hour can lie on both sides of the boundary: bars cannot tell.
    granularity === 'minute' || granularity === 'hour'
      ? undefined
      : totalsOf(api, { ...common, completeness: 'final' }, signal),
    ...panelDimensions(state).map((dimension) => topOf(api, state, range, dimension, signal)),
  ])
  return {
    state,
    range,
    granularity,
    ...freshnessOf(freshness),
    rows: series.data,
    finalValid: settled?.valid,
    users: whole.users,
    usersApproximate: whole.approximate,
    comparison: { range: before, now: complete ?? whole, before: earlier },
    tops: Object.fromEntries(panelDimensions(state).map((name, i) => [name, tops[i]])),
  }
}

/** The running minute is left out of a comparison: it would always look like a fall. */
function completeUntil({ start, end }, now) {
  if (end <= now) return end
  return Math.max(start + minuteMs, Math.floor(now / minuteMs) * minuteMs)
}

const bounds = ({ start, end }) => ({
  start_time: new Date(start).toISOString(),
  end_time: new Date(end).toISOString(),
})

const query = (state, range, filters) => ({
  ...bounds(range),
  time_zone: state.timeZone,
  ...(filters.length > 0 ? { filters: formatFilters(filters) } : {}),
})

async function totalsOf(api, common, signal) {
  const metrics = `${sums},unique_user_count`
  const { meta, data } = await api.report(
    timeseries,
    { ...common, granularity: 'all', metrics },
    signal,
  )
  const [row = {}] = data
  const counts = countsOf(row)
  const users = Number(row.unique_user_count ?? 0)
  return { ...counts, gross: grossOf(counts), users, approximate: isApproximate(meta.approximate) }
}

const isApproximate = (said) =>
  Array.isArray(said) ? said.includes('unique_user_count') : said === true

async function topOf(api, state, range, dimension, signal) {
  const { time_zone: _, ...common } = query(state, range, filtersBut(state.filters, dimension))
  const asked = {
    ...common,
    dimension,
    metric: 'click_count',
    metrics: sums,
    top_n: String(topMax),
  }
  const { data } = await api.report('/v1/reports/clicks/topN', asked, signal)
  return data
}

const freshnessOf = ({ boundary, watermark, state, detail }) => ({
  boundary: instant(boundary),
  watermark: instant(watermark),
  detail: state === 'live' ? '' : String(detail ?? ''),
})
