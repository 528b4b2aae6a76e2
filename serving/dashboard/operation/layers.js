// How fresh the answers are and what each layer is behind, and where the boundary stands and what it
// waits for.
import { h } from '../shared/dom.js'
import { formatCount, formatDuration, formatSeconds } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { createPart } from './part.js'
import { ago, moment } from './words.js'

const everyMs = 2_000
const boundaryEveryMs = 5_000

const layerRows = [
  { name: 'ingest', unit: 'clicks in write-ahead logs', count: 'wal_depth_clicks' },
  { name: 'speed', unit: 'clicks to judge', count: 'lag_records' },
  { name: 'olap', unit: 'judged clicks to load', count: 'lag_records' },
  { name: 'archive', unit: 'clicks to archive', count: 'lag_records' },
]
const tones = { live: 'good', behind: 'slow', starting: 'slow', degraded: 'bad', stalled: 'bad' }
const seconds = (value) =>
  value === null || value === undefined ? '–' : formatDuration(1_000 * value)

/** @param {import('../shared/api.js').Api} api */
export const createLayers = (api) =>
  createPart({
    ...{ id: 'layers', title: 'Freshness', nextMs: () => everyMs },
    load: (signal) => api.get('/v1/freshness', signal),
    draw: (body, freshness) => redraw(body, freshness, () => drawLayers(freshness)),
  })

function drawLayers({ state, detail, layers, watermark }) {
  const rows = layerRows.map((row) => ({ ...row, ...layers[row.name] }))
  const until = watermark ? `Counted up to ${formatSeconds(Date.parse(watermark), 'UTC')} UTC.` : ''
  return [
    h(
      'p',
      { class: 'freshness', 'data-tone': tones[state] ?? 'slow' },
      h('i', { class: 'dot', 'aria-hidden': 'true' }),
      h('span', {}, `${state}: ${detail} ${until}`),
    ),
    tableOf(
      'Lag by layer',
      [
        { title: 'Layer', of: ({ name }) => name },
        {
          title: 'Waiting',
          of: (row) => `${formatCount(Number(row[row.count] ?? 0))} ${row.unit}`,
        },
        { title: 'Behind', number: true, of: (row) => seconds(row.lag_seconds) },
        { title: 'Last report', number: true, of: (row) => agoOf(row.reported_seconds_ago) },
      ],
      rows,
    ),
  ]
}

const agoOf = (value) =>
  value === undefined ? '–' : value === null ? 'none' : `${seconds(value)} ago`

/**
 * @param {import('../shared/api.js').Api} api
 * @param {(boundary: number) => void} onBoundary
 */
export const createBoundary = (api, onBoundary) =>
  createPart({
    ...{ id: 'boundary', title: 'Boundary', nextMs: () => boundaryEveryMs },
    load: (signal) => api.get('/v1/boundary', signal),
    draw: (body, record) => {
      onBoundary(Date.parse(record.boundary))
      redraw(body, [record.boundary, record.next?.waits_for, record.next?.candidate], () =>
        drawBoundary(record, api.now()),
      )
    },
  })

function drawBoundary({ boundary, published_at, published_by, reason, next, history = [] }, now) {
  const waits = next?.waits_for ?? []
  const candidate = next?.candidate ? ` It can move to ${moment(next.candidate)} next.` : ''
  return [
    h('p', { class: 'value' }, moment(boundary)),
    h(
      'p',
      { class: 'muted' },
      `Published ${ago(published_at, now)} by ${published_by}: ${reason}.${candidate}`,
    ),
    h('h3', {}, next ? 'It waits for' : 'No scheduler is active: nothing is sealed'),
    waits.length > 0
      ? h('ul', { class: 'waits' }, ...waits.map((one) => h('li', {}, one)))
      : h('p', { class: 'muted' }, next ? 'nothing but the end of the hour and its lateness' : ''),
    h(
      'details',
      {},
      h('summary', {}, 'Where it stood before'),
      tableOf(
        'Former boundaries',
        [
          { title: 'Boundary', of: (row) => moment(row.boundary) },
          { title: 'Published', of: (row) => moment(row.published_at) },
          { title: 'By', of: (row) => row.published_by },
          { title: 'Why', of: (row) => row.reason },
        ],
        history,
      ),
    ),
  ]
}
