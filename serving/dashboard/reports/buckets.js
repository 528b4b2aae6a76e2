// From answers to what is drawn: every bucket of the range with its counts and how firm they are.
// Buckets without clicks are not in an answer: they are zeros, not gaps. Pure.
import { bucketsOf } from '../shared/time.js'

/**
 * @typedef {'final' | 'provisional' | 'open'} Provenance
 * @typedef {{ valid: number, duplicate: number, invalid: number }} Counts
 * @typedef {{ start: number, end: number, provenance: Provenance, future: boolean, before?: number } & Counts} Bucket
 *   before: valid clicks of the previous period, where they were asked for
 * @typedef {object} Live counts of the last minutes
 * @property {number} receivedAt
 * @property {number} boundary ms; NaN where not known
 * @property {number} watermark ms; NaN where not known
 * @property {Map<number, Counts & { provenance?: Provenance }>} minutes
 */

export const emptyCounts = () => ({ valid: 0, duplicate: 0, invalid: 0 })

/** An ISO instant or a number of milliseconds, as milliseconds; NaN for neither. */
export const instant = (value) => (typeof value === 'number' ? value : Date.parse(value ?? ''))

/** @returns {Counts} */
export const countsOf = (row) => ({
  valid: Number(row.click_count ?? 0),
  duplicate: Number(row.duplicate_click_count ?? 0),
  invalid: Number(row.fraudulent_click_count ?? 0),
})

/** @param {Counts} into @param {Counts} counts */
function add(into, counts) {
  into.valid += counts.valid
  into.duplicate += counts.duplicate
  into.invalid += counts.invalid
}

/** The same rule as the server's, for buckets that its answer leaves out. */
export function provenanceOf(end, boundary, watermark) {
  if (end <= boundary) return 'final'
  return end <= watermark ? 'provisional' : 'open'
}

/** @returns {Live} */
export function readLive(data, receivedAt) {
  const minutes = new Map()
  for (const row of data.series ?? []) {
    minutes.set(instant(row.time), { ...countsOf(row), provenance: row.provenance })
  }
  return {
    receivedAt,
    boundary: instant(data.boundary),
    watermark: instant(data.watermark),
    minutes,
  }
}

/** The later of two instants, of which either may be unknown. */
export const later = (a, b) => (!(a > b) && Number.isFinite(b) ? b : a)

/**
 * All buckets of a range: from the report's rows, and newer ones from live minutes, where those
 * cover the bucket from its beginning.
 * @param {object} input
 * @param {import('../shared/time.js').Range} input.range
 * @param {import('../shared/time.js').Granularity} input.granularity
 * @param {string} input.timeZone
 * @param {Record<string, any>[]} input.rows
 * @param {Live | undefined} input.live
 * @param {number} input.boundary
 * @param {number} input.watermark
 * @param {number} input.now
 * @returns {Bucket[]}
 */
export function buildBuckets({
  range,
  granularity,
  timeZone,
  rows,
  live,
  boundary,
  watermark,
  now,
}) {
  const byTime = new Map(rows.map((row) => [instant(row.time), row]))
  const liveFrom = live ? Math.min(...live.minutes.keys()) : Number.POSITIVE_INFINITY
  return bucketsOf(range, granularity, timeZone).map(({ start, end }) => {
    // A first bucket that is cut by the range may bear either time.
    const row = byTime.get(start) ?? byTime.get(Math.max(start, range.start))
    const bucket = {
      start,
      end,
      ...(row ? countsOf(row) : emptyCounts()),
      provenance: row?.provenance ?? provenanceOf(end, boundary, watermark),
      future: start > now,
      before: row?.previous_click_count,
    }
    if (live && start >= liveFrom && start >= range.start) {
      Object.assign(bucket, foldMinutes(live, start, Math.min(end, range.end)))
      bucket.provenance = provenanceOf(end, boundary, watermark)
    }
    return bucket
  })
}

function foldMinutes({ minutes }, start, end) {
  const counts = emptyCounts()
  for (const [time, minute] of minutes) if (time >= start && time < end) add(counts, minute)
  return counts
}

/**
 * @param {readonly Bucket[]} buckets
 * @param {(bucket: Bucket) => boolean} [which]
 * @returns {Counts}
 */
export function sumOf(buckets, which = () => true) {
  const counts = emptyCounts()
  for (const bucket of buckets) if (which(bucket)) add(counts, bucket)
  return counts
}

/** @param {Counts} counts */
export const grossOf = ({ valid, duplicate, invalid }) => valid + duplicate + invalid
