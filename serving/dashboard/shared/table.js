// Tables, all alike: a caption or a label, heads with scope, numbers to the right, and a place that
// scrolls by keyboard where the window is narrower than the table.
import { h, rememberFocus } from './dom.js'

/**
 * @template T
 * @typedef {object} Column
 * @property {string | Node} title
 * @property {(row: T) => Node | string | undefined} of
 * @property {boolean} [number]
 * @property {'ascending' | 'descending'} [sort]
 */

/**
 * @template T
 * @param {string} label what the table holds, for those who do not see it
 * @param {readonly Column<T>[]} columns the first heads its row
 * @param {readonly T[]} rows
 * @param {(row: T) => string} [classOf]
 */
export function tableOf(label, columns, rows, classOf = () => '') {
  const cell = (row, { of, number }, index) =>
    h(
      index === 0 ? 'th' : 'td',
      { scope: index === 0 && 'row', class: number && 'number' },
      of(row),
    )
  const head = ({ title, number, sort }) =>
    h('th', { scope: 'col', class: number && 'number', 'aria-sort': sort }, title)
  const body = rows.map((row) =>
    h('tr', { class: classOf(row) || false }, ...columns.map((column, i) => cell(row, column, i))),
  )
  return h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h('table', {}, h('thead', {}, h('tr', {}, ...columns.map(head))), h('tbody', {}, ...body)),
  )
}

/**
 * Draws a place anew where its values changed; the focus stays on the element of the same `data-focus`.
 * @param {HTMLElement} place
 * @param {unknown} values what the drawing depends on
 * @param {() => (Node | string | undefined)[]} draw
 */
export function redraw(place, values, draw) {
  const text = JSON.stringify(values)
  if (drawn.get(place) === text) return
  drawn.set(place, text)
  const focusBack = place.contains(document.activeElement) ? rememberFocus(place) : undefined
  place.replaceChildren(...draw().filter((part) => part !== undefined))
  focusBack?.()
}

/** @type {WeakMap<Element, string>} */
const drawn = new WeakMap()
