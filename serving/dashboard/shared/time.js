// Time ranges and buckets. Ranges are half-open, in milliseconds. Minutes and hours begin at UTC
// multiples; days, weeks (Monday) and months begin in the chosen zone, as in the API.

/** @typedef {{ start: number, end: number }} Range end is exclusive */
/** @typedef {'minute' | 'hour' | 'day' | 'week' | 'month'} Granularity */

export const minuteMs = 60_000
export const hourMs = 3_600_000
export const dayMs = 86_400_000

export const presets = {
  '15m': { spanMs: 15 * minuteMs, label: '15 min', words: 'the last 15 minutes' },
  '1h': { spanMs: hourMs, label: '1 h', words: 'the last hour' },
  '24h': { spanMs: dayMs, label: '24 h', words: 'the last 24 hours' },
  '7d': { spanMs: 7 * dayMs, label: '7 d', words: 'the last 7 days' },
  '30d': { spanMs: 30 * dayMs, label: '30 d', words: 'the last 30 days' },
}

/** Lengths for sizing only: days of 23 hours and months of 28 days exist. */
const typicalMs = { minute: minuteMs, hour: hourMs, day: dayMs, week: 7 * dayMs, month: 30 * dayMs }
export const granularities = /** @type {Granularity[]} */ (Object.keys(typicalMs))

const bucketsMax = 1_500

/** @param {number} spanMs @param {Granularity} granularity */
export function fits(spanMs, granularity) {
  return spanMs / typicalMs[granularity] <= bucketsMax && typicalMs[granularity] <= spanMs
}

/**
 * The bucket size that shows a range with enough detail and legible bars.
 * @param {number} spanMs
 * @returns {Granularity}
 */
export function autoGranularity(spanMs) {
  if (spanMs <= 3 * hourMs) return 'minute'
  if (spanMs <= 8 * dayMs) return 'hour'
  return spanMs <= 400 * dayMs ? 'day' : 'month'
}

/** @type {Map<string, Intl.DateTimeFormat>} */
const wallFormats = new Map()

/** Wall-clock time of an instant in a zone, as if it were UTC. */
export function wallOf(ms, timeZone) {
  let format = wallFormats.get(timeZone)
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    wallFormats.set(timeZone, format)
  }
  const p = Object.fromEntries(
    format.formatToParts(ms).map((part) => [part.type, Number(part.value)]),
  )
  return Date.UTC(p.year, p.month - 1, p.day, p.hour, p.minute, p.second)
}

/** The instant of a wall-clock time; where clocks skip it, the instant after the gap. */
export function instantOf(wall, timeZone) {
  const offsetAt = (ms) => wallOf(ms, timeZone) - Math.floor(ms / 1000) * 1000
  const before = wall - offsetAt(wall - 12 * hourMs)
  if (wallOf(before, timeZone) === wall) return before
  const after = wall - offsetAt(wall + 12 * hourMs)
  return wallOf(after, timeZone) === wall ? after : before
}

const floorTo = (value, step) => Math.floor(value / step) * step

/** Start of the wall-clock bucket that holds `wall`. */
function wallBucket(wall, granularity) {
  if (granularity === 'day') return floorTo(wall, dayMs)
  // 1970-01-05 was a Monday.
  if (granularity === 'week') return floorTo(wall - 4 * dayMs, 7 * dayMs) + 4 * dayMs
  const date = new Date(wall)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1)
}

/**
 * @param {number} ms
 * @param {Granularity} granularity
 * @param {string} timeZone
 */
export function bucketStart(ms, granularity, timeZone) {
  if (granularity === 'minute') return floorTo(ms, minuteMs)
  if (granularity === 'hour') return floorTo(ms, hourMs)
  return instantOf(wallBucket(wallOf(ms, timeZone), granularity), timeZone)
}

/** End of the bucket that begins at `start`: the start of the next. */
export function bucketEnd(start, granularity, timeZone) {
  if (granularity === 'minute') return start + minuteMs
  if (granularity === 'hour') return start + hourMs
  // A day whose midnight the clocks skip begins at one: count from where it would have begun.
  const wall = wallBucket(wallOf(start, timeZone), 'day')
  if (granularity === 'day') return instantOf(wall + dayMs, timeZone)
  if (granularity === 'week') return instantOf(wall + 7 * dayMs, timeZone)
  return instantOf(wallBucket(wall + 31 * dayMs, 'month'), timeZone)
}

/**
 * All buckets that touch a range, the first possibly beginning before it.
 * @param {Range} range
 * @param {Granularity} granularity
 * @param {string} timeZone
 * @returns {Range[]}
 */
export function bucketsOf(range, granularity, timeZone) {
  const buckets = []
  let start = bucketStart(range.start, granularity, timeZone)
  while (start < range.end && buckets.length < bucketsMax + 2) {
    const end = bucketEnd(start, granularity, timeZone)
    buckets.push({ start, end })
    start = end
  }
  return buckets
}

/**
 * The range and bucket size that a state means at this moment. A relative range begins at the
 * start of a bucket, so that its bars add up to its totals, and ends with the current minute.
 * @param {import('../reports/state.js').State} state
 * @param {number} now
 * @returns {{ range: Range, granularity: Granularity, relative: boolean }}
 */
export function resolveRange({ range, from, to, granularity, timeZone }, now) {
  const preset = presets[range]
  const spanMs = preset ? preset.spanMs : to - from
  const chosen =
    granularity !== 'auto' && fits(spanMs, granularity) ? granularity : autoGranularity(spanMs)
  if (!preset) return { range: { start: from, end: to }, granularity: chosen, relative: false }
  const start = bucketStart(now - preset.spanMs, chosen, timeZone)
  return {
    range: { start, end: floorTo(now, minuteMs) + minuteMs },
    granularity: chosen,
    relative: true,
  }
}
