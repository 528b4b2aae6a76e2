// A form that plans a backfill. Nothing is published by it: the run is staged and waits for approval.
import { h } from '../shared/dom.js'
import { drawProblem } from '../shared/notice.js'
import { inputOf, isoOf } from './words.js'

const hourMs = 3_600_000

/** @param {object} page as in run.js */
export function createPlan({ api, open, say }) {
  const hour = (name) => h('input', { type: 'datetime-local', name, required: true, step: 3600 })
  const [from, to] = [hour('from'), hour('to')]
  const field = (label, control) => h('label', { class: 'field' }, `${label} `, control)
  const engine = h(
    'select',
    { name: 'engine' },
    h('option', { value: '' }, 'piscina'),
    h('option', { value: 'spark' }, 'spark'),
  )
  const notice = h('div', { class: 'notice', role: 'alert', hidden: true })
  const form = h(
    'form',
    { class: 'line', 'aria-label': 'Plan a backfill' },
    field('from (UTC)', from),
    field('to', to),
    field(
      'Reason',
      h('input', { name: 'reason', required: true, maxlength: 512, size: 32, autocomplete: 'off' }),
    ),
    field(
      'Only advertiser',
      h('input', { name: 'advertiser_id', maxlength: 512, size: 12, autocomplete: 'off' }),
    ),
    field(
      'Rule set',
      h('input', { name: 'rule_set', type: 'number', min: 1, placeholder: 'as sealed' }),
    ),
    field('Engine', engine),
    field('Dry run', h('input', { name: 'dry_run', type: 'checkbox' })),
    h('button', { type: 'submit', class: 'primary' }, 'Plan'),
  )
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = form.querySelector('button')
    button.disabled = true
    try {
      const run = await api.post('/v1/backfills', bodyOf(new FormData(form)))
      drawProblem(notice, undefined)
      say(`Run ${run.run_id.slice(0, 8)} is ${run.status}.`)
      open(run.run_id)
    } catch (error) {
      drawProblem(notice, error)
    } finally {
      button.disabled = false
    }
  })
  const element = h(
    'details',
    { id: 'plan', class: 'part' },
    h('summary', {}, 'Plan a backfill'),
    h(
      'p',
      { class: 'muted' },
      'Whole hours below the boundary are judged again and compared. Nothing changes before you approve it.',
    ),
    form,
    notice,
  )
  return {
    element,
    /** Fills empty fields with the last hour below the boundary. */
    suggest(boundary) {
      if (!from.value) from.value = inputOf(boundary - hourMs)
      if (!to.value) to.value = inputOf(boundary)
    },
  }
}

function bodyOf(form) {
  const text = (name) => String(form.get(name) ?? '').trim()
  return {
    ...{ from: isoOf(text('from')), to: isoOf(text('to')), reason: text('reason') },
    ...(text('advertiser_id') ? { advertiser_id: text('advertiser_id') } : {}),
    ...(text('rule_set') ? { rule_set: Number(text('rule_set')) } : {}),
    ...(text('engine') ? { engine: text('engine') } : {}),
    ...(form.get('dry_run') ? { dry_run: true } : {}),
  }
}
