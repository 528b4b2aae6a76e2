// Where batch and the speed layer said otherwise about a click, by class, hour and advertiser, with
// examples. The last three classes are alarms: a sound installation has none.
import { h } from '../shared/dom.js'
import { formatCount } from '../shared/format.js'
import { redraw, tableOf } from '../shared/table.js'
import { createPart } from './part.js'
import { inputOf, isoOf, moment } from './words.js'

const everyMs = 30_000
const dayMs = 86_400_000

/** What a class means, in a line; schemas/reconciliation.ts has it in full. */
export const classWords = {
  late: 'reached the speed layer late or out of order',
  'wider-window': "the rule looks further back than the speed layer's memory",
  'other-partition': 'the click it repeats was judged in another partition',
  'rule-set': 'judged under different versions of the rule set',
  'missing-in-speed': 'the speed layer never said anything about it',
  'missing-in-archive': 'the archive of raw clicks lacks it',
  unexplained: 'none of the above: the two should agree',
}
const alarms = ['missing-in-speed', 'missing-in-archive', 'unexplained']

/**
 * @param {object} page
 * @param {import('../shared/api.js').Api} page.api
 * @param {() => { from: string, to: string }} page.range ISO; empty: the day below the boundary
 * @param {(range: { from: string, to: string }) => void} page.choose
 */
export function createReconciliation({ api, range, choose }) {
  const [from, to] = ['from', 'to'].map((name) =>
    h('input', { type: 'datetime-local', name, step: 3600, required: true }),
  )
  const form = h(
    'form',
    { class: 'line', 'aria-label': 'Hours that are compared' },
    h('label', { class: 'field' }, 'from (UTC) ', from),
    h('label', { class: 'field' }, 'to ', to),
    h('button', { type: 'submit' }, 'Compare'),
  )
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    choose({ from: isoOf(from.value), to: isoOf(to.value) })
  })
  const part = createPart({
    ...{ id: 'reconciliation', title: 'Reconciliation', nextMs: () => everyMs },
    load: async (signal) => {
      const asked = await rangeOf(api, range(), signal)
      if (document.activeElement?.form !== form) {
        from.value = inputOf(Date.parse(asked.from))
        to.value = inputOf(Date.parse(asked.to))
      }
      return api.get(`/v1/reconciliation?${new URLSearchParams(asked)}`, signal)
    },
    draw: (body, found) => redraw(body, found, () => drawFound(found)),
  })
  part.heading.after(form)
  return part
}

async function rangeOf(api, { from, to }, signal) {
  if (from && to) return { from, to }
  const { boundary } = await api.get('/v1/freshness', signal)
  const end = Date.parse(boundary)
  return { from: new Date(end - dayMs).toISOString(), to: boundary }
}

const agreed = 'Batch and the speed layer say the same of every click compared.'
const classCell = (name) =>
  h(
    'span',
    { class: alarms.includes(name) && 'fault' },
    alarms.includes(name) ? `${name} (alarm)` : name,
  )

function drawFound({ meta, data }) {
  const totals = Object.entries(meta.totals).filter(([, clicks]) => clicks > 0)
  const compared = data.filter(({ state }) => state === 'compared')
  const clicks = compared.reduce((sum, hour) => sum + hour.clicks, 0)
  const words = [
    `${formatCount(compared.length)} hours with ${formatCount(clicks)} clicks compared`,
    meta.hours_waiting > 0 && `${formatCount(meta.hours_waiting)} waiting`,
    meta.hours_unseen > 0 && `${formatCount(meta.hours_unseen)} not compared yet`,
    meta.is_cut && 'there is more than is shown: choose fewer hours',
  ]
  const lines = data.flatMap((hour) =>
    hour.differences.map((difference) => ({ ...difference, hour: hour.hour, run: hour.run_id })),
  )
  const waiting = data.filter(({ state }) => state === 'waiting')
  return [
    h('p', { class: 'muted' }, `${words.filter(Boolean).join(' · ')}.`),
    totals.length === 0
      ? h(
          'p',
          {},
          compared.length > 0 ? agreed : 'No published hour in this range was compared yet.',
        )
      : tableOf(
          'Differences by class',
          [
            { title: 'Class', of: ([name]) => classCell(name) },
            { title: 'Clicks', number: true, of: ([, count]) => formatCount(count) },
            { title: 'Meaning', of: ([name]) => classWords[name] ?? '' },
          ],
          totals,
        ),
    lines.length > 0
      ? tableOf(
          'Differences by hour and advertiser',
          [
            { title: 'Hour', of: ({ hour }) => moment(hour) },
            { title: 'Advertiser', of: ({ advertiser_id }) => advertiser_id },
            { title: 'Class', of: (line) => classCell(line.class) },
            { title: 'Clicks', number: true, of: (line) => formatCount(line.clicks) },
            { title: 'Examples', of: drawExamples },
          ],
          lines,
        )
      : undefined,
    waiting.length > 0
      ? h(
          'ul',
          { class: 'waits' },
          ...waiting.map(({ hour, detail }) => h('li', {}, `${moment(hour)} waits: ${detail}`)),
        )
      : undefined,
  ]
}

const receiptOf = ({ event_id, event_time }) =>
  `/?view=reports&${new URLSearchParams({ click: event_id, at: event_time })}`

function drawExamples({ examples }) {
  if (examples.length === 0) return '–'
  const one = (example) =>
    h(
      'li',
      {},
      h('a', { href: receiptOf(example) }, example.event_id),
      ` batch: ${example.batch || 'nothing'}, speed: ${example.speed || 'nothing'}; partition ${example.raw_partition}, offset ${example.raw_offset}`,
    )
  return h(
    'details',
    {},
    h('summary', {}, `${examples.length} of them`),
    h('ul', {}, ...examples.map(one)),
  )
}
