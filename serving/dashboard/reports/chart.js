// The chart: uPlot (a classic script that is there before this module) for scales, axes, cursor and
// zoom; the bars are our own (paint.js). The boundary is an element over the canvas, so that it can be
// read, styled and tested.

import { h, setText } from '../shared/dom.js'
import {
  formatAxis,
  formatBucket,
  formatClock,
  formatCount,
  formatDay,
  formatMoment,
  formatMonth,
} from '../shared/format.js'
import { dayMs, hourMs } from '../shared/time.js'
import { grossOf } from './buckets.js'
import { countProvenance, paintBars, paintUnsettled, seriesNames } from './paint.js'

const { uPlot } = globalThis

export const provenanceWords = {
  final: 'final: rebuilt from the raw clicks',
  provisional: 'provisional: counted live, not yet rebuilt',
  open: 'open: still counting',
}

/**
 * @typedef {object} ChartView
 * @property {readonly import('./buckets.js').Bucket[]} buckets
 * @property {import('../shared/time.js').Granularity} granularity
 * @property {string} timeZone
 * @property {number} boundary ms; NaN where not known
 * @property {ReadonlySet<string>} hidden
 * @property {Record<string, string>} colours
 */

/**
 * @param {HTMLElement} container
 * @param {(range: import('../shared/time.js').Range) => void} onZoom
 */
export function createChart(container, onZoom) {
  /** @type {ChartView | undefined} */
  let view
  /** @type {any} */
  let plot
  let shape = ''
  /** Start of the bucket that the tip is about. */
  let pointed
  const boundary = h(
    'div',
    { class: 'boundary', 'data-testid': 'boundary', hidden: true },
    h('span', {}),
  )
  const tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' })
  container.append(tip)

  const rebuild = () => {
    const was = pointed
    plot?.destroy()
    // Who steps through the bars goes on where they were: a scroll bar that appears is enough to come here.
    const ready = (u) => {
      const bucket = view.buckets.find(({ start }) => start === was)
      if (bucket) pointAt(u, bucket)
    }
    plot = new uPlot(
      options(container, () => view, { zoomed, showTip, drawn, ready }),
      dataOf(view),
      container,
    )
    plot.over.append(boundary)
  }
  // Scales are settled when uPlot has drawn, and not before.
  const drawn = (u) => placeBoundary(boundary, u, view)
  const zoomed = (from, to) => {
    const inside = view.buckets.filter(({ start, end }) => end > from && start < to)
    const [first, last] = [inside[0], inside.at(-1)]
    if (first && last) onZoom({ start: first.start, end: last.end })
  }
  const showTip = (index) => {
    const bucket = index === null || index === undefined ? undefined : view?.buckets[index]
    pointed = bucket?.start
    tip.hidden = !bucket
    if (!bucket) return
    fillTip(tip, bucket, view)
    placeTip(tip, container, plot, bucket)
  }

  const draw = (next) => {
    view = next
    const wanted = shapeOf(container, view)
    if (wanted !== shape) {
      shape = wanted
      rebuild()
    } else {
      plot.setData(dataOf(view), true)
      showTip(plot.cursor.idx)
    }
    const counts = countProvenance(view.buckets)
    Object.assign(container.dataset, counts)
    container.setAttribute('aria-label', describe(view, counts))
    container.setAttribute('aria-valuemax', String(view.buckets.length - 1))
  }

  new ResizeObserver(() => view && draw(view)).observe(container)
  container.addEventListener('keydown', (event) => {
    const index = stepOf(event.key, plot?.cursor.idx, view?.buckets)
    if (index === undefined) return
    event.preventDefault()
    pointAt(plot, view.buckets[index])
    container.setAttribute('aria-valuenow', String(index))
    container.setAttribute('aria-valuetext', bucketText(view.buckets[index], view))
  })
  container.addEventListener('blur', () => plot?.setCursor({ left: -10, top: -10 }))
  return { draw }
}

/** Only where scales are settled. */
function pointAt(plot, { start, end }) {
  plot.setCursor({ left: plot.valToPos((start + end) / 2000, 'x'), top: 10 })
}

/** What cannot be changed in a living uPlot: size, zone and granularity (axes), colours. */
const shapeOf = (container, { granularity, timeZone, colours }) =>
  [
    container.clientWidth,
    container.clientHeight,
    granularity,
    timeZone,
    ...Object.values(colours),
  ].join()

function dataOf({ buckets, hidden }) {
  const tops = buckets.map((bucket) =>
    Math.max(
      Number(bucket.before ?? 0),
      seriesNames.reduce((sum, name) => sum + (hidden.has(name) ? 0 : bucket[name]), 0),
    ),
  )
  return [buckets.map(({ start }) => start / 1000), tops]
}

function options(container, viewNow, { zoomed, showTip, drawn, ready }) {
  const { colours, timeZone } = viewNow()
  const axis = { stroke: colours.muted, font: '12px system-ui, sans-serif', ticks: { show: false } }
  const narrow = container.clientWidth < 480
  return {
    width: container.clientWidth,
    height: container.clientHeight,
    // To the right, half a label: the last one may stand at the very end.
    padding: [18, 18, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), timeZone),
    scales: {
      x: { range: () => [viewNow().buckets[0].start / 1000, viewNow().buckets.at(-1).end / 1000] },
      y: { range: (_, __, max) => [0, Math.max(4, max * 1.08)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        space: narrow ? 56 : 72,
        values: (_, s, __, ___, step) => ticks(s, step * 1000, timeZone),
      },
      {
        ...axis,
        size: 52,
        gap: 6,
        grid: { stroke: colours.rule, width: 1 },
        values: (_, splits) => splits.map((v) => (Number.isInteger(v) ? formatAxis(v) : '')),
      },
    ],
    series: [{}, { paths: () => null, points: { show: false } }],
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, setScale: false },
      dataIdx: (_, __, ___, seconds) => indexAt(viewNow().buckets, seconds * 1000),
    },
    hooks: {
      drawClear: [(u) => paintUnsettled(u, viewNow().boundary, colours.unsettled)],
      draw: [(u) => paintBars(u, viewNow()), drawn],
      ready: [ready],
      setCursor: [
        (u) =>
          showTip(
            u.cursor.left < 0
              ? null
              : indexAt(viewNow().buckets, u.posToVal(u.cursor.left, 'x') * 1000),
          ),
      ],
      setSelect: [
        (u) => {
          const { left, width } = u.select
          if (width > 4) zoomed(u.posToVal(left, 'x') * 1000, u.posToVal(left + width, 'x') * 1000)
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
    },
  }
}

/** The bucket that holds an instant, not the one whose start is nearest. */
function indexAt(buckets, ms) {
  const index = buckets.findLastIndex(({ start }) => start <= ms)
  return index < 0 ? null : index
}

/** Labels of the time axis; the day is named where it begins, and at the first tick. */
function ticks(splits, stepMs, timeZone) {
  let day = ''
  return splits.map((seconds) => {
    const ms = seconds * 1000
    if (stepMs >= 28 * dayMs) return formatMonth(ms, timeZone)
    const today = formatDay(ms, timeZone)
    if (stepMs >= dayMs) return today
    const label = formatClock(ms, timeZone) + (today === day ? '' : `\n${today}`)
    day = today
    return stepMs < hourMs * 24 ? label : today
  })
}

/** The line where it is in sight, else a word at the edge behind which it lies. */
function placeBoundary(element, plot, { boundary, buckets, timeZone }) {
  element.hidden = !Number.isFinite(boundary)
  if (element.hidden) return
  const width = plot.over.clientWidth
  const place =
    boundary < buckets[0].start ? 'before' : boundary > buckets.at(-1).end ? 'after' : 'inside'
  const x = { before: 0, after: width, inside: plot.valToPos(boundary / 1000, 'x') }[place]
  element.style.left = `${x}px`
  element.classList.toggle('outside', place !== 'inside')
  element.classList.toggle('flipped', x < 130)
  element.dataset.place = place
  element.dataset.time = new Date(boundary).toISOString()
  const until = `final until ${formatMoment(boundary, timeZone)}`
  const words = { before: `◂ ${until}`, after: 'all final', inside: until }
  setText(element.firstElementChild, words[place])
}

function fillTip(tip, bucket, { granularity, timeZone, hidden }) {
  const line = (name, label, value) =>
    h('div', { class: `tip-line ${name}` }, h('i', {}), label, h('b', {}, formatCount(value)))
  tip.replaceChildren(
    h('strong', {}, formatBucket(bucket, granularity, timeZone)),
    ...seriesNames
      .filter((name) => !hidden.has(name))
      .map((name) => line(name, name, bucket[name])),
    line('gross', 'gross', grossOf(bucket)),
    ...(Number.isFinite(bucket.before) ? [line('before', 'valid before', bucket.before)] : []),
    h('em', {}, bucket.future ? 'not yet begun' : provenanceWords[bucket.provenance]),
  )
}

function placeTip(tip, container, plot, bucket) {
  const offset = plot.over.offsetLeft
  const right = offset + plot.valToPos(bucket.end / 1000, 'x') + 8
  const left = offset + plot.valToPos(bucket.start / 1000, 'x') - tip.offsetWidth - 8
  const fits = right + tip.offsetWidth <= container.clientWidth
  tip.style.left = `${fits ? right : Math.max(0, left)}px`
}

function stepOf(key, index, buckets) {
  if (!buckets?.length) return undefined
  const last = buckets.findLastIndex(({ future }) => !future)
  const at = index ?? -1
  if (key === 'ArrowRight') return Math.min(at + 1, buckets.length - 1)
  if (key === 'ArrowLeft') return at < 0 ? Math.max(0, last) : Math.max(at - 1, 0)
  if (key === 'Home') return 0
  return key === 'End' ? Math.max(0, last) : undefined
}

const bucketText = (bucket, { granularity, timeZone }) =>
  `${formatBucket(bucket, granularity, timeZone)}: ${formatCount(bucket.valid)} valid, ` +
  `${formatCount(bucket.duplicate)} duplicate, ${formatCount(bucket.invalid)} invalid; ` +
  provenanceWords[bucket.provenance]

function describe({ granularity, buckets }, counts) {
  const peak = buckets.reduce((most, bucket) => Math.max(most, grossOf(bucket)), 0)
  return (
    `Clicks per ${granularity}: ${counts.final} buckets final, ${counts.provisional} provisional, ` +
    `${counts.open} open; the highest has ${formatCount(peak)} clicks.`
  )
}
