// The last runs of the batch layer, of every kind, with their progress.
import { h } from '../shared/dom.js'
import { formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { createPart } from './part.js'
import { ago, moment } from './words.js'

const activeMs = 1_000
const idleMs = 5_000
const busy = ['planned', 'running', 'approved', 'publishing']

export const isBusy = ({ status }) => busy.includes(status)
const tones = { 'awaiting-approval': 'slow', failed: 'bad', interrupted: 'bad', done: 'good' }

/** A status in a word, with a mark that does not rest on colour alone. */
export const statusOf = ({ status }) =>
  h(
    'span',
    { class: 'status', 'data-tone': tones[status] ?? 'none' },
    h('i', { class: 'dot', 'aria-hidden': 'true' }),
    status,
  )

/** @param {import('../shared/api.js').Api} api @param {(run: string) => string} hrefOf */
export const createRuns = (api, hrefOf) =>
  createPart({
    ...{ id: 'runs', title: 'Runs' },
    load: async (signal) => (await api.get('/v1/rebuilds', signal)).data,
    nextMs: (runs) => (runs.some(isBusy) ? activeMs : idleMs),
    draw: (body, runs) => redraw(body, runs, () => [drawRuns(runs, hrefOf, api.now())]),
  })

function drawRuns(runs, hrefOf, now) {
  if (runs.length === 0) return h('p', { class: 'muted' }, 'There was no run yet.')
  return tableOf(
    'Runs, the newest first',
    [
      {
        title: 'Run',
        of: ({ run_id, kind }) =>
          h('a', { href: hrefOf(run_id), 'data-focus': run_id }, `${kind} ${run_id.slice(0, 8)}`),
      },
      { title: 'Status', of: statusOf },
      { title: 'Progress', of: progressOf },
      { title: 'Clicks', number: true, of: ({ clicks }) => formatCount(clicks) },
      {
        title: 'Hours',
        of: ({ plan }) => (plan ? `${moment(plan.from)} – ${moment(plan.to)}` : '–'),
      },
      { title: 'Started', of: ({ started_at }) => ago(started_at, now) },
      { title: 'Why', of: ({ reason }) => reason },
    ],
    runs,
  )
}

/** Hours that are staged, of all. */
export function progressOf({ hours, hours_done }) {
  const label = `${formatCount(hours_done)} of ${formatCount(hours)} h`
  return h(
    'span',
    { class: 'progress' },
    h('progress', { max: Math.max(1, hours), value: hours_done, 'aria-label': `Staged: ${label}` }),
    label,
  )
}
