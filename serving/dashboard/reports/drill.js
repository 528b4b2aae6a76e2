// From campaigns to ads to where an ad was shown: breadcrumbs, and one table of the level below with its
// change against the previous period. Steps are links, so they can be opened beside, sent, gone back from.
import { h } from '../shared/dom.js'
import { formatChange, formatCount, formatShare, formatValue } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { levelsOf, nextLevel, pathOf, stepTo } from './levels.js'
import { dimensionLabels, dimensionPlurals } from './state.js'

const columns = [
  { metric: 'click_count', title: 'Valid' },
  { metric: 'gross_click_count', title: 'Gross' },
  { metric: 'duplicate_click_count', title: 'Duplicates' },
  { metric: 'fraudulent_click_count', title: 'Invalid' },
  { metric: 'unique_user_count', title: 'Users' },
]

/** @param {HTMLElement} place @param {object} on @param {HTMLElement} crumbs */
export function createDrill(place, crumbs, { hrefOf, change, save, reader }) {
  const title = h('h2', {}, 'Drill-down')
  const body = h('div', {})
  const file = h(
    'button',
    { type: 'button', class: 'quiet', onclick: () => save('drill') },
    'Download CSV',
  )
  place.append(h('div', { class: 'line chart-head' }, title, file), body)
  return ({ state, drill, usersApproximate }) => {
    const { role } = reader.me
    const dimension = nextLevel(state.filters, role)
    drawCrumbs(crumbs, state, role, hrefOf)
    redraw(title, dimension, () => [dimensionPlurals[dimension] ?? dimensionLabels[dimension]])
    redraw(body, [drill, state], () =>
      drill.length === 0
        ? [h('p', { class: 'muted' }, 'No clicks to list.')]
        : [drawTable({ state, drill, dimension, role, usersApproximate }, hrefOf, change)],
    )
  }
}

function drawCrumbs(place, state, role, hrefOf) {
  const path = pathOf(state.filters, role)
  place.hidden = path.length === 0
  const crumb = (step, label, isLast) =>
    h(
      'li',
      {},
      isLast
        ? h('b', { 'aria-current': 'location' }, label)
        : h(
            'a',
            { href: hrefOf({ filters: stepTo(state.filters, role, step) }), 'data-focus': label },
            label,
          ),
    )
  const named = ({ dimension, value }) =>
    `${dimensionLabels[dimension]} ${formatValue(dimension, value)}`
  redraw(place, [path, state], () => [
    h(
      'ol',
      {},
      crumb(undefined, `All ${dimensionPlurals[levelsOf(role)[0]].toLowerCase()}`, false),
      ...path.map((step, i) => crumb(step, named(step), i === path.length - 1)),
    ),
  ])
}

function drawTable({ state, drill, dimension, role, usersApproximate }, hrefOf, change) {
  const canStep = levelsOf(role).includes(dimension)
  const name = (row) => {
    const value = String(row[dimension] ?? '')
    const shown = formatValue(dimension, value)
    if (!canStep) return shown
    const filters = stepTo(state.filters, role, { dimension, value })
    return h('a', { href: hrefOf({ filters }), 'data-focus': value }, shown)
  }
  const sorter = (metric, title) =>
    h(
      'button',
      {
        type: 'button',
        class: 'sort',
        'data-focus': metric,
        onclick: () => change({ sort: metric }),
      },
      title,
    )
  const list = columns.flatMap(({ metric, title }) => [
    {
      title: sorter(metric, title),
      number: true,
      sort: state.sort === metric ? 'descending' : undefined,
      of: (row) => cellOf(row, metric, usersApproximate),
    },
    ...(metric === 'click_count' ? [{ title: 'Change', number: true, of: changeOf }] : []),
  ])
  const label = `${dimensionPlurals[dimension] ?? dimensionLabels[dimension]} by clicks`
  return tableOf(label, [{ title: dimensionLabels[dimension], of: name }, ...list], drill)
}

function cellOf(row, metric, usersApproximate) {
  const value = Number(row[metric] ?? 0)
  if (metric === 'unique_user_count') return `${usersApproximate ? '≈ ' : ''}${formatCount(value)}`
  if (metric !== 'duplicate_click_count' && metric !== 'fraudulent_click_count') {
    return formatCount(value)
  }
  return h(
    'span',
    {},
    formatCount(value),
    h('small', {}, formatShare(value, Number(row.gross_click_count ?? 0))),
  )
}

/** Of valid clicks; said in words to those who see no colour. */
function changeOf(row) {
  const before = row.previous_click_count
  if (before === undefined || before === null) return '–'
  if (Number(before) === 0) return row.click_count > 0 ? 'new' : '–'
  const text = formatChange(Number(row.click_count), Number(before))
  const rises = Number(row.click_count) >= Number(before)
  const tone = /[1-9]/.test(text) ? (rises ? 'good' : 'bad') : ''
  return h(
    'span',
    { class: `change ${tone}`, title: `${formatCount(Number(before))} before` },
    text,
  )
}
