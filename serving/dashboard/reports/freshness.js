// How fresh the numbers are, in one line with a dot; and, below the chart, what final, provisional
// and open mean, in plain words, with the boundary's own time.
import { h, setText } from '../shared/dom.js'
import { formatDuration, formatMoment, formatSeconds } from '../shared/format.js'
import { paintSample } from './paint.js'

/** Seconds behind that are nothing to worry about; beyond the second, something is wrong. */
const behindMsGood = 5_000
const behindMsBad = 60_000

/**
 * @typedef {object} Connection
 * @property {'live' | 'connecting' | 'polling' | 'paused' | 'offline'} kind
 * @property {number} answeredAt ms; 0: never yet
 */

/**
 * @param {Connection} connection
 * @param {number} behindMs server's now - watermark; NaN where not known
 * @returns {{ tone: 'good' | 'slow' | 'bad', text: string }}
 */
export function judgeFreshness({ kind, answeredAt }, behindMs, timeZone) {
  if (kind === 'offline') {
    const since = answeredAt
      ? `last numbers from ${formatSeconds(answeredAt, timeZone)}`
      : 'no numbers yet'
    return { tone: 'bad', text: `Not connected · ${since}` }
  }
  if (kind === 'paused') return { tone: 'slow', text: 'Paused while this tab is hidden' }
  if (kind === 'connecting' && !answeredAt) return { tone: 'slow', text: 'Connecting…' }
  const how = { live: 'Live', polling: 'Every few seconds', connecting: 'Reconnecting' }[kind]
  if (!Number.isFinite(behindMs)) return { tone: 'slow', text: `${how} · delay not known` }
  const late = behindMs > behindMsBad
  const tone = late ? 'bad' : behindMs > behindMsGood || kind === 'connecting' ? 'slow' : 'good'
  const text = `${how} · ${formatDuration(behindMs)} behind`
  return { tone, text: late ? `${text}: newest clicks are missing` : text }
}

/** @param {HTMLElement} element */
export function createFreshness(element) {
  const text = h('span', {})
  element.append(h('i', { class: 'dot', 'aria-hidden': 'true' }), text)
  return ({ connection, watermark, now, timeZone, detail }) => {
    const judged = judgeFreshness(connection, now - watermark, timeZone)
    element.hidden = false
    element.dataset.tone = judged.tone
    element.dataset.kind = connection.kind
    setText(text, judged.text)
    const until = Number.isFinite(watermark)
      ? `Every click received until ${formatSeconds(watermark, timeZone)} has been judged and is counted here.`
      : 'The server has not said how far it has counted.'
    element.title = [until, detail].filter(Boolean).join('\n')
  }
}

const firmness = [
  {
    name: 'final',
    words:
      'Rebuilt from the stored raw clicks. This is what is billed; a later change is published with its reason.',
  },
  {
    name: 'provisional',
    words:
      'Counted within seconds. The rebuild may still move it a little: late clicks, repeats seen late.',
  },
  { name: 'open', words: 'This bucket is still counting.' },
]

/** @param {HTMLElement} list */
export function createFirmness(list) {
  for (const { name, words } of firmness) {
    const label = h('b', {}, name)
    list.append(
      h('div', {}, h('dt', {}, h('canvas', { 'aria-hidden': 'true' }), label), h('dd', {}, words)),
    )
  }
  const [finalTerm] = list.querySelectorAll('dt b')
  return (boundary, timeZone, colours) => {
    const canvases = list.querySelectorAll('canvas')
    for (const [i, { name }] of firmness.entries()) paintSample(canvases[i], name, colours.valid)
    const until = Number.isFinite(boundary)
      ? `final until ${formatMoment(boundary, timeZone)}`
      : 'final'
    setText(finalTerm, until)
  }
}
