// Breakdowns: the greatest values of a dimension as bars. A bar is a button: it filters the page
// by its value, or takes that filter away again.

import { h, keyed, setText } from '../shared/dom.js'
import { formatCount, formatShare, formatValue } from '../shared/format.js'
import { countsOf, grossOf } from './buckets.js'
import { panelDimensions } from './load.js'
import { dimensionLabels } from './state.js'

const fixed = ['country', 'device_type']
const titles = { country: 'Countries', device_type: 'Devices' }

/**
 * @param {HTMLElement} section
 * @param {object} on
 * @param {(dimension: string, value: string) => void} on.toggle
 * @param {(dimension: string) => void} on.choose the free breakdown's dimension
 */
export function createPanels(section, on) {
  const free = Object.keys(dimensionLabels).filter((name) => !fixed.includes(name))
  const select = h(
    'select',
    { 'aria-label': 'Break down by', onchange: (event) => on.choose(event.target.value) },
    ...free.map((name) => h('option', { value: name }, dimensionLabels[name])),
  )
  const panel = (title) =>
    h('div', { class: 'panel' }, h('h2', {}, title), h('ol', {}), h('p', { class: 'muted none' }))
  const parts = [...fixed.map((name) => panel(titles[name])), panel(select)]
  section.append(...parts)

  /** @param {import('./load.js').Loaded} loaded */
  return ({ tops, state }) => {
    select.value = state.by
    const names = [...fixed, panelDimensions(state).at(-1)]
    for (const [i, part] of parts.entries()) {
      drawPanel(part, names[i], tops[names[i]] ?? [], state.filters, on)
    }
  }
}

function drawPanel(part, dimension, rows, filters, on) {
  const [, list, none] = part.children
  part.setAttribute('data-dimension', dimension)
  const chosen = new Set(
    filters
      .filter((f) => f.dimension === dimension && f.operator === '==')
      .flatMap((f) => f.values),
  )
  const items = rows.map((row) => ({ value: String(row[dimension] ?? ''), counts: countsOf(row) }))
  const most = Math.max(1, ...items.map(({ counts }) => grossOf(counts)))
  keyed(
    list,
    items,
    ({ value }) => `${dimension}=${value}`,
    ({ value }) => createRow(dimension, value, on),
    (element, { value, counts }) => updateRow(element, counts, most, chosen, value),
  )
  none.hidden = items.length > 0
  setText(none, 'No clicks to break down.')
}

function createRow(dimension, value, on) {
  const name = formatValue(dimension, value)
  const bar = h('span', { class: 'bar', 'aria-hidden': 'true' }, h('i', {}), h('i', {}), h('i', {}))
  const row = h(
    'button',
    { type: 'button', class: 'row', onclick: () => on.toggle(dimension, value) },
    h('span', { class: 'name', title: name === value ? name : `${name} (${value})` }, name),
    h('span', { class: 'count' }),
    bar,
    h('span', { class: 'rest' }),
  )
  return h('li', {}, row)
}

function updateRow(element, counts, most, chosen, value) {
  const row = element.firstElementChild
  row.setAttribute('aria-pressed', String(chosen.has(value)))
  row.classList.toggle('dimmed', chosen.size > 0 && !chosen.has(value))
  const gross = grossOf(counts)
  setText(row.querySelector('.count'), formatCount(counts.valid))
  setText(row.querySelector('.rest'), `${formatShare(gross - counts.valid, gross)} not valid`)
  const parts = [counts.valid, counts.duplicate, counts.invalid]
  ;[...row.querySelectorAll('.bar i')].forEach((part, i) => {
    part.style.width = `${(100 * parts[i]) / most}%`
  })
}
