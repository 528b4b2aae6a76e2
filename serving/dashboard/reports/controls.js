// Time range, bucket size, zone and filters. Every control changes the state through `change`;
// nothing here asks the API.
import { byId, h, keyed, setText } from '../shared/dom.js'
import { addFilter, formatFilters, operatorWords } from '../shared/filters.js'
import { formatRange, formatValue, formatZone } from '../shared/format.js'
import {
  autoGranularity,
  fits,
  granularities,
  instantOf,
  presets,
  resolveRange,
  wallOf,
} from '../shared/time.js'
import { dimensionLabels, localTimeZone } from './state.js'

/**
 * @typedef {import('./state.js').State} State
 * @param {() => State} current
 * @param {(change: Partial<State>) => void} change
 */
export function createControls(current, change) {
  const drawPresets = createPresets(current, change)
  createCustom(current, change)
  createFilterForm(current, change)
  const granularity = byId('granularity')
  granularity.addEventListener('change', () => change({ granularity: granularity.value }))
  const zone = byId('time-zone')
  zone.addEventListener('change', () => change({ timeZone: zone.value }))

  let drawn
  /** @param {number} now the server's clock */
  return (now) => {
    const state = current()
    const { range } = resolveRange(state, now)
    setText(byId('range-text'), formatRange(range.start, range.end, state.timeZone))
    // Only for a new state: an open list or a half-typed time must survive the next second.
    if (state === drawn) return
    drawn = state
    drawPresets(state)
    drawGranularity(granularity, state, range)
    drawZones(zone, state, now)
    drawChips(byId('chips'), current, change)
  }
}

function createPresets(current, change) {
  const group = byId('presets')
  const custom = byId('custom')
  const button = (name, label, title) =>
    h('button', { type: 'button', 'data-range': name, title, onclick: () => choose(name) }, label)
  const choose = (name) => {
    if (name !== 'custom') return change({ range: name, from: 0, to: 0 })
    custom.hidden = !custom.hidden
    if (!custom.hidden) fillCustom(current())
    return undefined
  }
  for (const [name, { label, words }] of Object.entries(presets))
    group.append(button(name, label, words))
  group.append(button('custom', 'Custom', 'a range of your own'))
  return (state) => {
    custom.hidden = state.range !== 'custom'
    if (state.range === 'custom') fillCustom(state)
    for (const element of group.querySelectorAll('button')) {
      element.setAttribute(
        'aria-pressed',
        String(element.getAttribute('data-range') === state.range),
      )
    }
  }
}

const localText = (ms, timeZone) => new Date(wallOf(ms, timeZone)).toISOString().slice(0, 16)

function fillCustom(state) {
  const { range } = resolveRange(state, Date.now())
  byId('from').value = localText(range.start, state.timeZone)
  byId('to').value = localText(range.end, state.timeZone)
}

function createCustom(current, change) {
  byId('custom').addEventListener('submit', (event) => {
    event.preventDefault()
    const read = (id) => instantOf(Date.parse(`${byId(id).value}Z`), current().timeZone)
    const [from, to] = [read('from'), read('to')]
    const fault = from < to ? '' : '“to” must be later than “from”.'
    setText(byId('custom-fault'), fault)
    if (!fault) change({ range: 'custom', from, to })
  })
}

function createFilterForm(current, change) {
  const dimension = byId('filter-dimension')
  for (const [name, label] of Object.entries(dimensionLabels)) {
    dimension.append(h('option', { value: name }, label))
  }
  dimension.value = 'ad_id'
  byId('filter-form').addEventListener('submit', (event) => {
    event.preventDefault()
    const input = byId('filter-value')
    const value = input.value.trim()
    if (!value) return
    const added = {
      dimension: dimension.value,
      operator: byId('filter-operator').value,
      values: [value],
    }
    input.value = ''
    byId('add-filter').removeAttribute('open')
    change({ filters: addFilter(current().filters, added) })
  })
}

function drawGranularity(select, state, range) {
  const span = range.end - range.start
  const choices = ['auto', ...granularities.filter((name) => fits(span, name))]
  const label = (name) => (name === 'auto' ? `auto (${autoGranularity(span)})` : name)
  select.replaceChildren(...choices.map((name) => h('option', { value: name }, label(name))))
  select.value = choices.includes(state.granularity) ? state.granularity : 'auto'
}

function drawZones(select, state, now) {
  const zones = [...new Set([localTimeZone, 'UTC', state.timeZone])]
  if (
    select.options.length !== zones.length ||
    !zones.every((zone, i) => select.options[i].value === zone)
  ) {
    select.replaceChildren(
      ...zones.map((zone) => h('option', { value: zone }, formatZone(zone, now))),
    )
  }
  select.value = state.timeZone
}

const otherOperator = { '==': '!=', '!=': '==' }

function drawChips(list, current, change) {
  const textOf = (filter) => formatFilters([filter])
  const replace = (text, by) =>
    change({ filters: current().filters.flatMap((f) => (textOf(f) === text ? by : [f])) })
  const create = (filter) => createChip(filter, (by) => replace(textOf(filter), by))
  keyed(list, current().filters, textOf, create, () => {})
}

function createChip(filter, replace) {
  const { dimension, operator, values } = filter
  const label = dimensionLabels[dimension] ?? dimension
  const word = operatorWords[operator]
  const words = values.map((value) => formatValue(dimension, value)).join(', ')
  const invert = () => replace([{ ...filter, operator: otherOperator[operator] }])
  const says =
    operator === '=^' ? h('span', { class: 'operator' }, word) : button('operator', word, invert)
  says.title = operator === '=^' ? '' : 'is / is not'
  const remove = button('remove', '×', () => replace([]))
  remove.setAttribute('aria-label', `Remove filter ${label} ${word} ${words}`)
  return h(
    'li',
    { class: 'chip', 'data-dimension': dimension },
    h('span', {}, label),
    says,
    h('b', { title: words }, words),
    remove,
  )
}

const button = (name, label, onclick) =>
  h('button', { type: 'button', class: name, onclick }, label)
