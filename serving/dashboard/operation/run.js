// One run: its plan, how far it is, what publishing would change, and what may be done to it now. Acts
// are asked about first; whether they are allowed is the API's to say.
import { h } from '../shared/dom.js'
import { formatCount, formatDuration } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { ask } from './ask.js'
import { createPart } from './part.js'
import { isBusy, progressOf, statusOf } from './runs.js'
import { changeWords, moment } from './words.js'

const activeMs = 500
const idleMs = 5_000

const acts = [
  {
    ...{ name: 'approve', label: 'Approve', from: ['awaiting-approval'] },
    words: 'Its numbers replace the published ones, hour by hour, and every change is recorded.',
  },
  {
    ...{
      name: 'cancel',
      label: 'Cancel the run',
      from: ['planned', 'running', 'awaiting-approval', 'approved'],
    },
    words:
      'It stops and publishes nothing. What is staged is kept: one that somebody asked for can be resumed.',
  },
  {
    ...{ name: 'resume', label: 'Resume', from: ['failed', 'interrupted', 'cancelled'] },
    kindsNot: ['seal', 'rebuild'], // the scheduler plans their hours anew by itself
    words: 'It goes on where it was broken off. What is staged is not staged again.',
  },
  {
    ...{ name: 'rollback', label: 'Roll back', from: ['done'], wantsReason: true },
    kindsNot: ['seal'],
    words:
      'A new run puts the numbers from before this one back. It waits for approval like any other.',
  },
]
const mayDo = ({ name, from, kindsNot = [] }, run) =>
  from.includes(run.status) &&
  !kindsNot.includes(run.kind) &&
  !(name === 'rollback' && run.hours_published === 0)

/**
 * @param {object} page
 * @param {import('../shared/api.js').Api} page.api
 * @param {() => string} page.current the run's id; empty: none is open
 * @param {(run: string) => void} page.open
 * @param {(run: string) => string} page.hrefOf
 * @param {(words: string) => void} page.say
 */
export function createRun({ api, current, open, hrefOf, say }) {
  const act = async ({ name, label, words, wantsReason }) => {
    const runId = current()
    const title = `${label} ${runId.slice(0, 8)}?`
    const answer = await ask({ title, words, act: label, wantsReason })
    if (!answer) return
    try {
      const path = `/v1/backfills/${encodeURIComponent(runId)}/${name}`
      const run = await api.post(path, wantsReason ? answer : undefined)
      say(`${label}: run ${run.run_id.slice(0, 8)} is ${run.status}.`)
      if (run.run_id === runId) void part.refresh()
      else open(run.run_id)
    } catch (error) {
      part.problem(error)
    }
  }
  const part = createPart({
    ...{ id: 'run', title: 'Run' },
    load: (signal) => api.get(`/v1/backfills/${encodeURIComponent(current())}`, signal),
    nextMs: (run) => (isBusy(run) ? activeMs : idleMs),
    draw: (body, run) => {
      part.heading.textContent = `${run.kind} ${run.run_id}`
      redraw(body, run, () => drawRun(run, act, hrefOf))
    },
  })
  return part
}

function drawRun(run, act, hrefOf) {
  const buttons = acts
    .filter((one) => mayDo(one, run))
    .map((one) =>
      h(
        'button',
        {
          ...{ type: 'button', 'data-act': one.name, 'data-focus': one.name },
          class: one.name === 'approve' && 'primary',
          onclick: () => act(one),
        },
        one.label,
      ),
    )
  return [
    h(
      'p',
      { class: 'line' },
      statusOf(run),
      progressOf(run),
      h('span', { class: 'muted' }, run.reason),
    ),
    planOf(run),
    faultOf(run),
    buttons.length > 0 ? h('p', { class: 'line acts' }, ...buttons) : undefined,
    ...(run.diff ? drawDiff(run.diff) : []),
    h('p', {}, h('a', { href: hrefOf('') }, 'Back to all runs')),
  ]
}

function planOf({ plan, created_by, approved_by }) {
  if (!plan) return h('p', { class: 'muted' }, 'Not planned yet.')
  const parts = [
    `${moment(plan.from)} – ${moment(plan.to)} UTC`,
    `${formatCount(plan.hours)} hours`,
    `${formatCount(plan.clicks)} clicks in ${formatCount(plan.files)} files`,
    `rule set ${plan.rule_sets.join(', ')}`,
    plan.advertiser_id && `only ${plan.advertiser_id}`,
    plan.dry_run && 'dry run: nothing is staged',
    plan.expected_seconds !== null && `about ${formatDuration(1_000 * plan.expected_seconds)}`,
    created_by && `asked for by ${created_by}`,
    approved_by && `approved by ${approved_by}`,
  ]
  return h('p', { class: 'muted' }, parts.filter(Boolean).join(' · '))
}

const faultOf = ({ result }) =>
  result?.error ? h('p', { class: 'fault' }, String(result.error)) : undefined

const metrics = [
  ['click_count', 'Valid'],
  ['duplicate_click_count', 'Duplicates'],
  ['fraudulent_click_count', 'Invalid'],
]
const countColumns = metrics.flatMap(([name, title]) => [
  { title, number: true, of: ({ after }) => formatCount(after[name]) },
  {
    title: 'change',
    number: true,
    of: ({ before, after }) => changeWords(before[name], after[name]),
  },
])

function drawDiff({ changedHours, total, hours, advertisers, violations, violationsTotal }) {
  const by = (title, first, lines) => [
    h('h3', {}, title),
    tableOf(title, [first, ...countColumns], lines),
  ]
  const rails = `Guard rails touched: ${formatCount(violationsTotal)}`
  return [
    ...(violations.length > 0
      ? [h('h3', { class: 'fault' }, rails), tableOf(rails, railColumns, violations)]
      : []),
    ...(changedHours === 0
      ? [h('p', { class: 'muted' }, 'Publishing changes no number.')]
      : by(
          `What publishing changes: ${formatCount(changedHours)} hours`,
          { title: 'Hours', of: () => 'all' },
          [total],
        )),
    ...(advertisers.length > 0
      ? by('By advertiser', { title: 'Advertiser', of: (line) => line.advertiser_id }, advertisers)
      : []),
    ...(hours.length > 0
      ? by('By hour', { title: 'Hour', of: ({ hour }) => moment(hour) }, hours)
      : []),
  ]
}

const railColumns = [
  { title: 'Alarm', of: ({ alarm }) => alarm },
  { title: 'Hour', of: ({ hour }) => moment(hour) },
  { title: 'Advertiser', of: ({ advertiser_id }) => advertiser_id || '(all)' },
  { title: 'Before', number: true, of: ({ before }) => formatCount(before) },
  { title: 'After', number: true, of: ({ after }) => formatCount(after) },
]
