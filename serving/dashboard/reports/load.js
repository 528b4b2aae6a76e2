// What is asked of the API for one state of the page, and the answers as one value. Unique users
// are asked for the whole range: they must never be added up over buckets.

import { filtersBut, formatFilters } from '../shared/filters.js'
import { minuteMs, resolveRange } from '../shared/time.js'
import { countsOf, grossOf, instant } from './buckets.js'
import { nextLevel } from './levels.js'

const sums = 'click_count,gross_click_count,duplicate_click_count,fraudulent_click_count'
const topMax = 8
const drillMax = 50
const timeseries = '/v1/reports/clicks/timeseries'
const topN = '/v1/reports/clicks/topN'

/**
 * @typedef {object} Loaded
 * @property {import('./state.js').State} state what was asked
 * @property {import('../shared/time.js').Range} range
 * @property {import('../shared/time.js').Granularity} granularity
 * @property {number} boundary ms; NaN where the server did not say
 * @property {number} watermark ms; NaN where the server did not say
 * @property {string} detail the server's own words where it is behind; else empty
 * @property {Record<string, any>[]} rows
 * @property {number | undefined} finalValid valid clicks below the boundary, where bars cannot tell
 * @property {number} users distinct, over the whole range
 * @property {boolean} usersApproximate
 * @property {Comparison} comparison
 * @property {Record<string, Record<string, any>[]>} tops rows by dimension
 * @property {Record<string, any>[]} drill the level below, with the previous period
 * @property {Record<string, any>[]} unbilled rows with the most invalid clicks
 * @property {Record<string, any> | undefined} rules the rule set in force; undefined: not for this reader
 * @property {{ slot: string, ad_ids: string[] }[] | undefined} placements of a publisher
 * @property {Record<string, any>[]} placed clicks of the ads in them
 *
 * @typedef {object} Comparison the range's complete minutes against as many before it
 * @property {import('../shared/time.js').Range} range
 * @property {Totals} now
 * @property {Totals} before
 *
 * @typedef {{ gross: number, valid: number, duplicate: number, invalid: number, users: number }} Totals
 */

/** The dimensions broken down below the chart; the last is the reader's choice. */
export const panelDimensions = (state) => [...new Set(['country', 'device_type', state.by])]

/** The requests behind the two tables; their CSV is asked for with the same parameters. */
export const drillQuery = (state, range, { role }) => ({
  ...query(state, range, state.filters),
  dimension: nextLevel(state.filters, role),
  metric: state.sort,
  metrics: `${sums},unique_user_count`,
  top_n: String(drillMax),
  compare_to: 'previous_period',
})
export const seriesQuery = (state, range, granularity) => ({
  ...query(state, range, state.filters),
  granularity,
  metrics: sums,
  // A bucket without clicks had some before: it is a row, too.
  ...(state.compare ? { compare_to: 'previous_period', zero_fill: 'true' } : {}),
})

/**
 * @param {import('../shared/api.js').Api} api
 * @param {import('./state.js').State} state
 * @param {{ role: string }} me
 * @param {AbortSignal} signal
 * @returns {Promise<Loaded>}
 */
export async function load(api, state, me, signal) {
  const now = api.now()
  const { range, granularity } = resolveRange(state, now)
  const common = query(state, range, state.filters)
  const total = (span) => totalsOf(api, { ...common, ...bounds(span) }, signal)
  const compared = { start: range.start, end: completeUntil(range, now) }
  const before = { start: 2 * compared.start - compared.end, end: compared.start }

  const [freshness, series, whole, complete, earlier, settled, more, ...tops] = await Promise.all([
    // A report that did not change comes from the browser's cache, with the watermark of then.
    api.get('/v1/freshness', signal),
    api.report(timeseries, seriesQuery(state, range, granularity), signal),
    total(range),
    compared.end === range.end ? undefined : total(compared),
    total(before),
    // A bucket longer than an hour can lie on both sides of the boundary: bars cannot tell.
    granularity === 'minute' || granularity === 'hour'
      ? undefined
      : totalsOf(api, { ...common, completeness: 'final' }, signal),
    moreOf(api, state, range, me, signal),
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
    ...more,
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

/** @type {WeakMap<import('../shared/api.js').Api, Map<string, Promise<any>>>} */
const kept = new WeakMap()

/** What hardly ever changes: asked for once in a session. Undefined where it is not for this reader. */
function once(api, path) {
  const known = kept.get(api) ?? new Map()
  kept.set(api, known)
  const asked =
    known.get(path) ??
    api.get(path).catch((error) => {
      if (error.status === 403 || error.status === 404) return undefined
      known.delete(path)
      throw error
    })
  known.set(path, asked)
  return asked
}

/** What is below the breakdowns. */
async function moreOf(api, state, range, me, signal) {
  const isPublisher = me.role === 'publisher'
  const common = query(state, range, state.filters)
  const top = async (more) => (await api.report(topN, { ...common, ...more }, signal)).data
  const [drill, unbilled, rules, placements, placed] = await Promise.all([
    api.report(topN, drillQuery(state, range, me), signal),
    top({
      ...{ dimension: state.why, metric: 'fraudulent_click_count' },
      ...{ metrics: sums, top_n: String(topMax) },
    }),
    isPublisher ? undefined : once(api, '/v1/rules'),
    isPublisher ? once(api, '/v1/placements') : undefined,
    isPublisher ? top({ dimension: 'ad_id', metrics: 'click_count', top_n: '1000' }) : [],
  ])
  return { drill: drill.data, unbilled, rules, placements: placements?.data, placed }
}

async function topOf(api, state, range, dimension, signal) {
  const { time_zone: _, ...common } = query(state, range, filtersBut(state.filters, dimension))
  const asked = {
    ...common,
    dimension,
    metric: 'click_count',
    metrics: sums,
    top_n: String(topMax),
  }
  const { data } = await api.report(topN, asked, signal)
  return data
}

const freshnessOf = ({ boundary, watermark, state, detail }) => ({
  boundary: instant(boundary),
  watermark: instant(watermark),
  detail: state === 'live' ? '' : String(detail ?? ''),
})
