// The headline, as a ledger would put it: gross - duplicates - invalid = valid. The three sums are
// those of the chart's bars; distinct users are asked for separately.

import { h, setText } from '../shared/dom.js'
import {
  formatChange,
  formatCount,
  formatPoints,
  formatRange,
  formatShare,
} from '../shared/format.js'
import { grossOf } from './buckets.js'

/** `share`: a part of gross, whose change is that of its share: with more traffic all parts grow. */
const figures = [
  { name: 'valid', label: 'Valid clicks', note: 'what is billed', better: 'up', sign: '' },
  { name: 'gross', label: 'Gross', note: 'all clicks', better: '', sign: '=' },
  { name: 'duplicate', label: 'Duplicates', share: true, better: 'down', sign: '−' },
  { name: 'invalid', label: 'Invalid', share: true, better: 'down', sign: '−' },
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
        h('p', { class: 'change' }, h('b', {}), h('span', {})),
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
function drawFigure(section, figure, { sums, users = 0, usersApproximate, comparison, timeZone }) {
  const { name, note, share } = figure
  const element = section.querySelector(`[data-figure=${name}]`)
  const gross = grossOf(sums)
  const value = { ...sums, gross, users }[name]
  const shown = element.querySelector('.value')
  setText(shown, (name === 'users' && usersApproximate && value ? '≈ ' : '') + formatCount(value))
  shown.setAttribute('data-value', String(value))
  setText(element.querySelector('.note'), share ? `${formatShare(value, gross)} of gross` : note)
  drawChange(element.querySelector('.change'), figure, comparison, timeZone)
}

function drawChange(element, { name, share, better }, { now, before, range }, timeZone) {
  const part = (totals) => (share ? totals[name] / totals.gross : totals[name])
  const format = share ? formatPoints : formatChange
  const text = format(part(now), part(before))
  setText(element.firstElementChild, text)
  setText(element.lastElementChild, text ? ' vs prior period' : 'no prior period')
  const rising = part(now) > part(before)
  const tone = rising === (better === 'up') ? 'good' : 'bad'
  element.className = `change ${better && /[1-9]/.test(text) ? tone : ''}`
  element.title = `${formatCount(before[name])} in ${formatRange(range.start, range.end, timeZone)}`
}

/** How much of the billed number can no longer change without a published restatement. */
function drawSettled(element, { sums, finalValid }) {
  const part = sums.valid > 0 ? finalValid / sums.valid : 0
  element.hidden = sums.valid === 0
  element.firstElementChild.style.setProperty('--part', String(part))
  const text =
    finalValid === sums.valid
      ? 'all of it final'
      : `${formatCount(finalValid)} final · ${formatCount(sums.valid - finalValid)} not yet final`
  setText(element.lastElementChild, text)
}
