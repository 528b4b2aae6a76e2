// What the page shows, kept in the address: reload, bookmark, send, go back. Defaults are left
// out of the address; anything faulty in it falls back to the default.
import { formatFilters, parseFilters } from '../shared/filters.js'
import { granularities, presets } from '../shared/time.js'

/**
 * @typedef {object} State
 * @property {string} range a preset, or `custom` with from and to
 * @property {number} from ms; 0 unless custom
 * @property {number} to ms, exclusive; 0 unless custom
 * @property {string} granularity `auto` or a granularity
 * @property {import('../shared/filters.js').Filter[]} filters
 * @property {string} timeZone IANA name
 * @property {string} by dimension of the free breakdown
 * @property {string} sort metric that the drill-down table is ordered by
 * @property {string} why dimension that clicks not billed are broken down by
 * @property {boolean} compare whether the previous period is drawn into the chart
 * @property {string} click event id of the receipt that is open; empty: none
 * @property {string} at when that click happened, ISO 8601; empty: its id tells
 */

export const localTimeZone = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'
const defaults = { range: '24h', granularity: 'auto', by: 'os', sort: 'click_count', why: 'source' }

export const dimensionLabels = {
  advertiser_id: 'Advertiser',
  campaign_id: 'Campaign',
  ad_id: 'Ad',
  publisher_id: 'Publisher',
  country: 'Country',
  region: 'Region',
  city: 'City',
  device_type: 'Device',
  os: 'Operating system',
  browser: 'Browser',
  source: 'Source',
}

/** Where they are listed. */
export const dimensionPlurals = {
  advertiser_id: 'Advertisers',
  campaign_id: 'Campaigns',
  ad_id: 'Ads',
  publisher_id: 'Publishers',
  source: 'Sources',
}

export const sorts = [
  'click_count',
  'gross_click_count',
  'duplicate_click_count',
  'fraudulent_click_count',
  'unique_user_count',
]

function isTimeZone(name) {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}

/**
 * @param {string} search the address's query string
 * @returns {State}
 */
export function parseState(search) {
  const query = new URLSearchParams(search)
  const from = Date.parse(query.get('from') ?? '')
  const to = Date.parse(query.get('to') ?? '')
  const custom = from < to
  const range = query.get('range') ?? ''
  const granularity = query.get('by_time') ?? ''
  const zone = query.get('tz') ?? ''
  const dimension = (name) => {
    const given = query.get(name) ?? ''
    return Object.hasOwn(dimensionLabels, given) ? given : defaults[name]
  }
  const sort = query.get('sort') ?? ''
  return {
    range: custom ? 'custom' : Object.hasOwn(presets, range) ? range : defaults.range,
    from: custom ? from : 0,
    to: custom ? to : 0,
    granularity: granularities.includes(/** @type {any} */ (granularity)) ? granularity : 'auto',
    filters: parseFilters(query.get('filters') ?? ''),
    timeZone: zone && isTimeZone(zone) ? zone : localTimeZone,
    by: dimension('by'),
    sort: sorts.includes(sort) ? sort : defaults.sort,
    why: dimension('why'),
    compare: query.get('compare') === '1',
    click: query.get('click') ?? '',
    at: query.get('at') ?? '',
  }
}

/**
 * @param {State} state
 * @returns {string} query string with its question mark, or empty
 */
export function formatState(state) {
  const query = new URLSearchParams()
  if (state.range === 'custom') {
    query.set('from', new Date(state.from).toISOString())
    query.set('to', new Date(state.to).toISOString())
  } else if (state.range !== defaults.range) query.set('range', state.range)
  if (state.granularity !== 'auto') query.set('by_time', state.granularity)
  if (state.filters.length > 0) query.set('filters', formatFilters(state.filters))
  if (state.timeZone !== localTimeZone) query.set('tz', state.timeZone)
  for (const name of ['by', 'sort', 'why']) {
    if (state[name] !== defaults[name]) query.set(name, state[name])
  }
  if (state.compare) query.set('compare', '1')
  if (state.click) query.set('click', state.click)
  if (state.click && state.at) query.set('at', state.at)
  const text = query.toString()
  return text ? `?${text}` : ''
}
