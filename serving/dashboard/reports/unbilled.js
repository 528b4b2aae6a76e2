// Clicks that nobody pays for: where they come from, and the rules that say why. Reports count them by
// verdict, not by rule; the rule of one click is in its receipt.
import { h } from '../shared/dom.js'
import { formatCount, formatDuration, formatShare, formatValue } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { countsOf, grossOf } from './buckets.js'
import { dimensionLabels } from './state.js'

const markWords = {
  'blocked-ip': 'The click came from a blocked network address.',
  'bot-user-agent': 'The browser says that it is a robot.',
  prefetch: 'A browser or a link preview fetched the link ahead; nobody clicked.',
  'bad-signature': 'The link was not signed, or the signature was wrong.',
  'expired-impression': 'The link of the ad had expired.',
}
const keyWords = {
  impression_id: 'impression',
  ad_id: 'ad',
  visitor: 'visitor',
  ip_hash: 'address',
  user_hash: 'user',
}
const unitMs = { D: 86_400_000, H: 3_600_000, M: 60_000, S: 1_000 }

/** `PT1H30M` in words; as it is where it is something else. */
function windowWords(text) {
  const parts = [...String(text).matchAll(/(\d+)([DHMS])/g)]
  const ms = parts.reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit], 0)
  return ms > 0 ? formatDuration(ms) : text
}

/** A rule in a sentence. */
export function ruleWords({ kind, mark, key = [], window, after = 1 }) {
  if (kind === 'mark') return markWords[mark] ?? `The click carries the mark ${mark}.`
  const same = key.map((name) => keyWords[name] ?? name).join(' and ')
  return `${after > 1 ? `${after} earlier clicks` : 'An earlier click'} with the same ${same}, less than ${windowWords(window)} before.`
}

/**
 * @param {HTMLElement} place
 * @param {object} on
 * @param {(some: object) => void} on.change
 */
export function createUnbilled(place, { change }) {
  const select = h(
    'select',
    { 'aria-label': 'Clicks not billed, by', onchange: () => change({ why: select.value }) },
    ...Object.entries(dimensionLabels).map(([value, label]) => h('option', { value }, label)),
  )
  const body = h('div', {})
  const rules = h('div', {})
  const heading = h('h2', { id: 'unbilled-title' }, 'Clicks not billed')
  place.append(
    h('div', { class: 'line' }, heading, h('label', { class: 'field' }, 'by ', select)),
    h('div', { class: 'halves' }, body, rules),
  )
  return ({ state, unbilled, rules: ruleSet }) => {
    select.value = state.why
    redraw(body, [unbilled, state.why], () => [drawSources(unbilled, state.why)])
    redraw(rules, ruleSet, () => drawRules(ruleSet))
  }
}

function drawSources(rows, dimension) {
  const found = rows
    .map((row) => ({ value: String(row[dimension] ?? ''), ...countsOf(row) }))
    .filter(({ duplicate, invalid }) => duplicate + invalid > 0)
  if (found.length === 0) return h('p', { class: 'muted' }, 'Every click here is billed.')
  const count = (name, title) => ({
    title,
    number: true,
    of: (row) =>
      h('span', {}, formatCount(row[name]), h('small', {}, formatShare(row[name], grossOf(row)))),
  })
  return tableOf(
    'Where clicks that are not billed come from',
    [
      { title: dimensionLabels[dimension], of: ({ value }) => formatValue(dimension, value) },
      count('duplicate', 'Duplicates'),
      count('invalid', 'Invalid'),
    ],
    found,
  )
}

function drawRules(ruleSet) {
  if (!ruleSet) return []
  const term = (rule) => [
    h(
      'dt',
      { class: `rule ${rule.status}` },
      h('i', { 'aria-hidden': 'true' }),
      `${rule.status}: ${rule.id}`,
    ),
    h('dd', {}, ruleWords(rule)),
  ]
  return [
    h(
      'details',
      { class: 'rules', open: true },
      h('summary', {}, `Reasons: rule set ${ruleSet.version}`),
      h('dl', {}, ...ruleSet.rules.flatMap(term)),
      h('p', { class: 'muted' }, 'Which rule caught a click is in its receipt, below.'),
    ),
  ]
}
