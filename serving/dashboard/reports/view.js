// Draws a session's values into the page's parts. Old numbers stay, dimmed, until the new ones are
// there: a page that is kept open must not flicker.

import { byId, h, setText } from '../shared/dom.js'
import { toggleValue } from '../shared/filters.js'
import { drawProblem } from '../shared/notice.js'
import { colours } from '../shared/theme.js'
import { resolveRange } from '../shared/time.js'
import { buildBuckets, grossOf, sumOf } from './buckets.js'
import { createChart } from './chart.js'
import { createControls } from './controls.js'
import { saveCsv } from './csv.js'
import { createDrill } from './drill.js'
import { createFirmness, createFreshness } from './freshness.js'
import { createHeadline } from './headline.js'
import { seriesNames } from './paint.js'
import { createPanels } from './panels.js'
import { createPlacements } from './placements.js'
import { createReceipt } from './receipt.js'
import { createTable } from './table.js'
import { createUnbilled } from './unbilled.js'

/**
 * @param {object} page
 * @param {() => import('./state.js').State} page.current
 * @param {(change: Partial<import('./state.js').State>) => void} page.change
 * @param {(change: Partial<import('./state.js').State>) => string} page.hrefOf a state's address
 * @param {{ me: any, api: any }} page.reader
 */
export function createView(page) {
  const { current, change, reader } = page
  const main = byId('main')
  const hidden = new Set()
  let palette = colours()
  let last

  const zoom = ({ start, end }) =>
    change({ range: 'custom', from: start, to: end, granularity: 'auto' })
  const drawChart = createChart(byId('chart'), zoom).draw
  const drawControls = createControls(current, change)
  const drawHeadline = createHeadline(byId('numbers'))
  const drawPanels = createPanels(byId('panels'), {
    toggle: (dimension, value) =>
      change({ filters: toggleValue(current().filters, dimension, value) }),
    choose: (by) => change({ by }),
  })
  const drawTable = createTable(byId('table'))
  const save = (what) =>
    saveCsv(what, current(), reader).catch((error) => drawProblem(byId('notice'), error))
  const drawDrill = createDrill(byId('drill'), byId('crumbs'), { ...page, save })
  const drawUnbilled = createUnbilled(byId('unbilled'), page)
  const drawPlacements = createPlacements(byId('placements'), page)
  const drawReceipt = createReceipt(byId('receipt'), page)
  byId('save-series').addEventListener('click', () => save('series'))
  const compare = byId('compare')
  compare.addEventListener('click', () => change({ compare: !current().compare }))
  const drawFreshness = createFreshness(byId('freshness'))
  const drawFirmness = createFirmness(byId('firmness'))
  createSeriesButtons(byId('series'), hidden, () => last && draw(last))

  const draw = (values) => {
    last = values
    const { loaded, connection, boundary, watermark, now } = values
    drawControls(now)
    compare.setAttribute('aria-pressed', String(current().compare))
    void drawReceipt()
    drawFreshness({
      connection,
      watermark,
      now,
      timeZone: current().timeZone,
      detail: loaded?.detail,
    })
    if (!loaded) return
    const shown = shownOf(values)
    drawHeadline(shown)
    drawChart({ ...shown, boundary, hidden, colours: palette })
    drawFirmness(boundary, shown.timeZone, palette)
    drawEmpty(byId('empty'), grossOf(shown.sums) === 0, current(), change)
    drawTable(shown)
    drawPanels(loaded)
    drawDrill(loaded)
    drawUnbilled(loaded)
    drawPlacements(loaded)
    setText(byId('chart-title'), `Clicks per ${shown.granularity}`)
    document.title = `${new Intl.NumberFormat().format(shown.sums.valid)} valid clicks · clickledger`
  }

  return {
    draw,
    recolour() {
      palette = colours()
      if (last) draw(last)
    },
    /** @param {boolean} is whether an answer is awaited */
    busy(is) {
      main.setAttribute('aria-busy', String(is))
      main.dataset.stale = String(is && last?.loaded?.state !== current())
    },
    problem: (error, retry) => drawProblem(byId('notice'), error, retry),
  }
}

/** The loaded answers and the live minutes as one set of buckets and sums. */
function shownOf({ loaded, live, boundary, watermark, now }) {
  const { state, rows, users, usersApproximate, comparison } = loaded
  const { range, granularity } = resolveRange(state, now)
  const { timeZone } = state
  const buckets = buildBuckets({
    range,
    granularity,
    timeZone,
    rows,
    live,
    boundary,
    watermark,
    now,
  })
  const finalValid =
    loaded.finalValid ?? sumOf(buckets, ({ provenance }) => provenance === 'final').valid
  return {
    buckets,
    granularity,
    timeZone,
    sums: sumOf(buckets),
    finalValid,
    users,
    usersApproximate,
    comparison,
  }
}

/** Nothing to show is said in the chart's place, with what can be done about it. */
function drawEmpty(place, is, { filters, range }, change) {
  place.hidden = !is
  if (!is) return
  const action = (label, some) =>
    h('button', { type: 'button', onclick: () => change(some) }, label)
  const words =
    filters.length > 0 ? 'No clicks match these filters here.' : 'No clicks in this range.'
  const actions = [
    filters.length > 0 ? action('Remove the filters', { filters: [] }) : undefined,
    range === '30d'
      ? undefined
      : action('Show the last 30 days', { range: '30d', granularity: 'auto' }),
  ]
  if (place.dataset.words === words + range) return
  place.dataset.words = words + range
  place.replaceChildren(h('p', {}, words), ...actions.filter((button) => button !== undefined))
}

function createSeriesButtons(group, hidden, onChange) {
  for (const name of seriesNames) {
    const button = h(
      'button',
      { type: 'button', class: `swatch ${name}`, 'aria-pressed': 'true' },
      h('i', {}),
      name,
    )
    button.addEventListener('click', () => {
      if (!hidden.delete(name)) hidden.add(name)
      button.setAttribute('aria-pressed', String(!hidden.has(name)))
      onChange()
    })
    group.append(button)
  }
}
