// Numbers and times as words, in the reader's locale. Units are never left to guessing.
import { dayMs, hourMs, minuteMs } from './time.js'

const locale = navigator.language || 'en'
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 })
const compact = new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 })
const oneDigit = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 })
const share = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 })
const signed = new Intl.NumberFormat(locale, {
  style: 'percent',
  maximumFractionDigits: 1,
  signDisplay: 'exceptZero',
})

const signedPoints = new Intl.NumberFormat(locale, {
  maximumFractionDigits: 1,
  signDisplay: 'exceptZero',
})

export const formatCount = (value) => whole.format(value)
export const formatAxis = (value) => (Math.abs(value) < 10_000 ? whole : compact).format(value)

/** @param {number} part @param {number} total */
export const formatShare = (part, total) => (total > 0 ? share.format(part / total) : '–')

/**
 * The change against an earlier value, as a signed percentage; empty where it means nothing.
 * @param {number | undefined} value
 * @param {number | undefined} before
 */
export function formatChange(value, before) {
  if (value === undefined || before === undefined || before === 0) return ''
  const ratio = value / before - 1
  return ratio > 9.99 ? `×${oneDigit.format(value / before)}` : minus(signed.format(ratio))
}

/** The change of a share, in percentage points; empty where it means nothing. */
export function formatPoints(share, before) {
  if (!Number.isFinite(share) || !Number.isFinite(before)) return ''
  return `${minus(signedPoints.format(100 * (share - before)))} points`
}

/** A hyphen is too short beside tabular digits. */
const minus = (text) => text.replace('-', '−')

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map()

function format(ms, timeZone, options) {
  const key = `${timeZone} ${JSON.stringify(options)}`
  let made = formats.get(key)
  if (!made) {
    made = new Intl.DateTimeFormat(locale, { timeZone, ...options })
    formats.set(key, made)
  }
  return made.format(ms)
}

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }
const shortDay = { day: 'numeric', month: 'short' }

export const formatClock = (ms, timeZone) => format(ms, timeZone, clock)
export const formatSeconds = (ms, timeZone) => format(ms, timeZone, { ...clock, second: '2-digit' })
export const formatDay = (ms, timeZone) => format(ms, timeZone, shortDay)
export const formatMonth = (ms, timeZone) =>
  format(ms, timeZone, { month: 'short', year: 'numeric' })
export const formatMoment = (ms, timeZone) => format(ms, timeZone, { ...shortDay, ...clock })

/** @param {number} start @param {number} end exclusive */
export function formatRange(start, end, timeZone) {
  const oneDay = formatDay(start, timeZone) === formatDay(end - 1, timeZone) && end - start <= dayMs
  const last = oneDay ? formatClock(end, timeZone) : formatMoment(end, timeZone)
  return `${formatMoment(start, timeZone)} – ${last}`
}

/** A bucket's own name: `14:05`, `14:00–15:00`, `21 Nov`, .. */
export function formatBucket({ start, end }, granularity, timeZone) {
  if (granularity === 'minute') return formatMoment(start, timeZone)
  if (granularity === 'hour') {
    return `${formatMoment(start, timeZone)}–${formatClock(end, timeZone)}`
  }
  if (granularity === 'month') return formatMonth(start, timeZone)
  const day = { weekday: 'short', ...shortDay }
  const first = format(start, timeZone, day)
  return granularity === 'day' ? first : `${first} – ${format(end - 1, timeZone, day)}`
}

/** A duration in its largest sensible unit, with the unit. */
export function formatDuration(ms) {
  if (ms < 10_000) return `${oneDigit.format(Math.max(0, ms) / 1000)} s`
  if (ms < 2 * minuteMs) return `${whole.format(ms / 1000)} s`
  if (ms < 2 * hourMs) return `${whole.format(ms / minuteMs)} min`
  return ms < 2 * dayMs ? `${whole.format(ms / hourMs)} h` : `${whole.format(ms / dayMs)} days`
}

/** Zone name with its offset: `Europe/Berlin (GMT+1)`. */
export function formatZone(timeZone, now) {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone,
    timeZoneName: 'shortOffset',
  }).formatToParts(now)
  const offset = parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
  return timeZone === 'UTC' ? 'UTC' : `${timeZone.replaceAll('_', ' ')} (${offset})`
}

const countryNames = new Intl.DisplayNames([locale], { type: 'region', fallback: 'code' })

/** What a dimension's value is called on the page; an empty value means that it is not known. */
export function formatValue(dimension, value) {
  if (value === '') return '(unknown)'
  if (dimension !== 'country' || !/^[A-Z]{2}$/.test(value)) return value
  return countryNames.of(value) ?? value
}
