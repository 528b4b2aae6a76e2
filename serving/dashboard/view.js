// Draws a session's values into the page's parts. Old numbers stay, dimmed, until the new ones are
// there: a page that is kept open must not flicker.
import { buildBuckets, grossOf, sumOf } from './buckets.js'
import { createChart } from './chart.js'
import { createControls } from './controls.js'
import { byId, h, setText } from './dom.js'
import { toggleValue } from './filters.js'
import { createFirmness, createFreshness } from './freshness.js'
import { createHeadline } from './headline.js'
import { seriesNames } from './paint.js'
import { createPanels } from './panels.js'
import { createTable } from './table.js'
import { colours } from './theme.js'
import { resolveRange } from './time.js'

/**
 * @param {() => import('./state.js').State} current
 * @param {(change: Partial<import('./state.js').State>) => void} change
 */
export function createView(current, change) {
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
  const drawFreshness = createFreshness(byId('freshness'))
  const drawFirmness = createFirmness(byId('firmness'))
  createSeriesButtons(byId('series'), hidden, () => last && draw(last))

  const draw = (values) => {
    last = values
    const { loaded, connection, boundary, watermark, now } = values
    drawControls(now)
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

/** @param {HTMLElement} notice @param {Error & { title?: string, fix?: string } | undefined} error */
function drawProblem(notice, error, retry) {
  notice.hidden = !error
  if (!error) return notice.replaceChildren()
  const { title = 'The answer could not be read.', message, fix = '' } = error
  return notice.replaceChildren(
    h('strong', {}, title),
    h('span', {}, [message === title ? '' : message, fix].filter(Boolean).join(' ')),
    h('button', { type: 'button', onclick: () => retry() }, 'Try again'),
  )
}
