// One click's receipt: what each layer said about it and why. The answer is shown field by field as it
// comes, so that nothing the API says about a disputed click is left out here.
import { h } from '../shared/dom.js'
import { formatDay, formatSeconds } from '../shared/format.js'
import { drawProblem } from '../shared/notice.js'

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** @param {HTMLElement} place @param {object} on */
export function createReceipt(place, { current, change, hrefOf, reader }) {
  const input = h('input', {
    ...{ id: 'click-id', required: true, autocomplete: 'off', spellcheck: 'false' },
    ...{ placeholder: '019a…', 'aria-describedby': 'click-fault', size: 38 },
  })
  const fault = h('p', { id: 'click-fault', class: 'fault', role: 'alert' })
  const answer = h('div', { class: 'receipt', 'aria-live': 'polite', tabindex: -1 })
  const submit = (event) => {
    event.preventDefault()
    const id = input.value.trim()
    fault.textContent = idPattern.test(id)
      ? ''
      : 'An event id looks like 019aa0b4-52c1-7d3e-8a60-0c5f0b7d9e11.'
    if (!fault.textContent) change({ click: id })
  }
  place.append(
    h('h2', {}, 'Receipt of a click'),
    h(
      'form',
      { class: 'line', onsubmit: submit },
      h('label', { class: 'field' }, 'Event id ', input),
      h('button', { type: 'submit' }, 'Look up'),
      fault,
    ),
    answer,
  )

  let shown = ''
  let asking = new AbortController()
  return async () => {
    const { click, timeZone } = current()
    if (click === shown) return
    shown = click
    input.value = click
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    answer.replaceChildren()
    if (!click) return
    answer.replaceChildren(h('p', { class: 'muted' }, 'Looking in the archive…'))
    try {
      const receipt = await reader.api.get(`/v1/clicks/${encodeURIComponent(click)}`, signal)
      const close = h('a', { href: hrefOf({ click: '' }) }, 'Close the receipt')
      answer.replaceChildren(drawFields(receipt, timeZone), close)
    } catch (error) {
      if (signal.aborted) return
      const problem = h('div', { class: 'notice', role: 'alert' })
      drawProblem(problem, error)
      answer.replaceChildren(problem)
    }
  }
}

const words = (name) => name.replaceAll('_', ' ').replace(/ id$/, ' id')

function drawFields(fields, timeZone) {
  const parts = Object.entries(fields).map(([name, value]) =>
    h(
      'div',
      { 'data-field': name },
      h('dt', {}, words(name)),
      h('dd', {}, drawValue(value, timeZone)),
    ),
  )
  return h('dl', { class: 'fields' }, ...parts)
}

function drawValue(value, timeZone) {
  if (value === null || value === '') return h('span', { class: 'muted' }, 'none')
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) {
    if (value.length === 0) return h('span', { class: 'muted' }, 'none')
    return h('ul', {}, ...value.map((one) => h('li', {}, drawValue(one, timeZone))))
  }
  if (typeof value === 'object') return drawFields(value, timeZone)
  if (typeof value === 'string' && timePattern.test(value)) {
    const ms = Date.parse(value)
    const text = `${formatDay(ms, timeZone)}, ${formatSeconds(ms, timeZone)}`
    return h('time', { datetime: value, title: value }, text)
  }
  return String(value)
}
