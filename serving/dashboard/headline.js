// The headline, as a ledger would put it: gross - duplicates - invalid = valid. The three sums are
// those of the chart's bars; distinct users are asked for separately.
import { grossOf } from './buckets.js'
import { h, setText } from './dom.js'
import { formatChange, formatCount, formatRange, formatShare } from './format.js'

const figures = [
  { name: 'valid', label: 'Valid clicks', note: 'what is billed', better: 'up', sign: '' },
  { name: 'gross', label: 'Gross', note: 'all clicks', better: '', sign: '=' },
  { name: 'duplicate', label: 'Duplicates', note: 'of gross', better: 'down', sign: '−' },
  { name: 'invalid', label: 'Invalid', note: 'of gross', better: 'down', sign: '−' },
  { name: 'users', label: 'Unique users', note: 'behind valid clicks', better: 'up', sign: '' },
]

/** @param {HTMLElement} section */
export function createHeadline(section) {
  for (const { name, label, sign } of figures) {
    section.append(
      h(
        'div',
        { class: `figure ${name}`, 'data-figure': name },
        h(
          'h2',
          {},
          sign ? h('span', { class: 'sign', 'aria-hidden': 'true' }, sign) : undefined,
          label,
        ),
        h('p', { class: 'value' }),
        h('p', { class: 'note' }),
        h('p', { class: 'change' }),
        name === 'valid' ? h('div', { class: 'settled' }, h('i', {}), h('span', {})) : undefined,
      ),
    )
  }
  return (view) => {
    for (const figure of figures) drawFigure(section, figure, view)
    drawSettled(section.querySelector('.settled'), view)
  }
}

/**
 * @param {HTMLElement} section
 * @param {typeof figures[number]} figure
 * @param {object} view
 * @param {import('./buckets.js').Counts} view.sums
 * @param {number | undefined} view.users
 * @param {boolean} view.usersApproximate
 * @param {import('./load.js').Comparison} view.comparison
 * @param {string} view.timeZone
 */
function drawFigure(
  section,
  { name, note, better },
  { sums, users, usersApproximate, comparison, timeZone },
) {
  const element = section.querySelector(`[data-figure=${name}]`)
  const value = name === 'users' ? users : name === 'gross' ? grossOf(sums) : sums[name]
  const shown = element.querySelector('.value')
  setText(
    shown,
    (name === 'users' && usersApproximate && value ? '≈ ' : '') + formatCount(value ?? 0),
  )
  shown.setAttribute('data-value', String(value ?? 0))
  const share = name === 'duplicate' || name === 'invalid'
  setText(
    element.querySelector('.note'),
    share ? `${formatShare(value, grossOf(sums))} ${note}` : note,
  )
  const change = element.querySelector('.change')
  const { now, before, range } = comparison
  const text = formatChange(now[name], before[name])
  const rising = now[name] > before[name]
  setText(
    change,
    text ? `${text} vs the period before` : before[name] === 0 ? 'nothing to compare with' : '',
  )
  change.className = `change ${text && better ? (rising === (better === 'up') ? 'good' : 'bad') : ''}`
  change.title = `${formatCount(before[name])} in ${formatRange(range.start, range.end, timeZone)}`
}

/** How much of the billed number can no longer change without a published restatement. */
function drawSettled(element, { sums, finalValid }) {
  const part = sums.valid > 0 ? finalValid / sums.valid : 0
  element.hidden = sums.valid === 0
  element.firstElementChild.style.setProperty('--part', String(part))
  const text =
    finalValid === sums.valid
      ? 'all of it final'
      : `${formatCount(finalValid)} final · ${formatCount(sums.valid - finalValid)} still provisional`
  setText(element.lastElementChild, text)
}
