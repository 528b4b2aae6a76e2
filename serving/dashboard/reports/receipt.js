// One click's receipt: billed or not, what each layer said about it and why. What this page has no words
// for is shown field by field as it comes: nothing the API says about a disputed click is left out.
import { h } from '../shared/dom.js'
import { formatDay, formatSeconds } from '../shared/format.js'
import { drawProblem } from '../shared/notice.js'

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/
const idPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const idExample = '019aa0b4-52c1-7d3e-8a60-0c5f0b7d9e11'
/** Long, and seldom what is asked about. */
const folded = ['facts', 'position', 'copies']

/** @param {HTMLElement} place @param {object} page as in view.js */
export function createReceipt(place, { current, change, hrefOf, reader }) {
  const input = h('input', {
    ...{ required: true, autocomplete: 'off', spellcheck: 'false', placeholder: idExample },
    ...{ 'aria-describedby': 'click-fault', size: 38 },
  })
  const when = h('input', { type: 'datetime-local', step: 1 })
  const fault = h('p', { id: 'click-fault', class: 'fault', role: 'alert' })
  const answer = h('div', { class: 'receipt', 'aria-live': 'polite' })
  const submit = (event) => {
    event.preventDefault()
    const id = input.value.trim()
    fault.textContent = idPattern.test(id) ? '' : `An event id looks like ${idExample}.`
    const at = when.value && `${when.value.padEnd(19, ':00')}Z`
    if (!fault.textContent) change({ click: id, at })
  }
  place.append(
    h('h2', {}, 'Receipt of a click'),
    h(
      'form',
      { class: 'line', onsubmit: submit },
      h('label', { class: 'field' }, 'Event id ', input),
      h('label', { class: 'field' }, 'clicked at (UTC), where the id does not tell ', when),
      h('button', { type: 'submit' }, 'Look up'),
      fault,
    ),
    answer,
  )

  let shown = ''
  let asking = new AbortController()
  return async () => {
    const { click, at, timeZone } = current()
    place.hidden = reader.me.role === 'publisher'
    if (`${click} ${at}` === shown) return
    shown = `${click} ${at}`
    input.value = click
    when.value = at.slice(0, 19)
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    answer.replaceChildren()
    if (!click) return
    answer.replaceChildren(h('p', { class: 'muted' }, 'Looking in the archive…'))
    try {
      const query = at ? `?${new URLSearchParams({ at })}` : ''
      const path = `/v1/clicks/${encodeURIComponent(click)}${query}`
      const receipt = await reader.api.get(path, signal)
      const close = h('a', { href: hrefOf({ click: '', at: '' }) }, 'Close the receipt')
      answer.replaceChildren(...drawReceipt(receipt, timeZone), close)
    } catch (error) {
      if (signal.aborted) return
      const problem = h('div', { class: 'notice' })
      drawProblem(problem, error)
      answer.replaceChildren(problem)
    }
  }
}

function drawReceipt(receipt, timeZone) {
  const entries = Object.entries(receipt)
  const open = entries.filter(([name]) => !folded.includes(name))
  const details = entries
    .filter(([name]) => folded.includes(name))
    .map(([name, value]) =>
      h('details', { 'data-field': name }, h('summary', {}, name), drawValue(value, timeZone)),
    )
  return [
    h('p', { class: 'verdict' }, verdictOf(receipt)),
    drawFields(Object.fromEntries(open), timeZone),
    ...details,
  ]
}

function verdictOf({ billed, counted_as, batch, speed }) {
  const rule = [batch, speed].find((said) => said?.rule)?.rule
  const by = rule ? `, by the rule ${rule}` : ''
  if (billed === true) return 'Billed: a valid click.'
  if (billed === false) return `Not billed: ${counted_as ?? batch?.status}${by}.`
  return counted_as ? `Not final yet; counted as ${counted_as} for now${by}.` : 'Not judged yet.'
}

const words = (name) => name.replaceAll('_', ' ')
const none = () => h('span', { class: 'muted' }, 'none')

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
  if (value === null || value === '') return none()
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) {
    if (value.length === 0) return none()
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
