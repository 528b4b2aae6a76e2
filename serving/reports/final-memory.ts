// The final part of recent answers, for the time in which the store is away. What was below the
// boundary then is exact still, unless an hour of it has been published again since: that is asked of
// the catalogue. Nothing above the boundary is remembered.
import { LRUCache } from 'lru-cache'
import { bucketEnd, bucketStart, formatInstant } from '#core/buckets.ts'
import { isMetricKey } from '#core/report-order.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs } from '#schemas/paths.ts'
import { fingerprintOf } from './cursor.ts'
import type { ReportRequest } from './params.ts'
import type { Answer } from './report.ts'

/** Final numbers older than this say too little about what is there now. */
const ageMaxMs = 24 * hourMs
const cellsMax = 500_000
/** Rows of an answer: a page to look at, not an export. */
const rowsMax = 5_000

interface Remembered {
  readonly at: number
  readonly request: ReportRequest
  readonly boundary: number
  readonly answer: Answer
}

export interface FinalMemory {
  /** @param at - when its numbers were asked for; ms */
  keep(request: ReportRequest, answer: Answer, at: number): void
  /** An answer with `meta.stale`; undefined: nothing final is remembered of this range. */
  recall(request: ReportRequest): Promise<Answer | undefined>
}

/** One bucket for everything cannot be cut at the boundary, and neither can a ranking. */
const isWhole = ({ granularity, order = [] }: ReportRequest) =>
  granularity === 'all' || order.some(isMetricKey)

/** Equal for windows of one length that move with the time, but for what cannot be cut. */
function shapeOf(request: ReportRequest): string {
  const { start, end, completeness, ...shape } = request
  return fingerprintOf([shape, isWhole(request) ? [start, end] : end - start])
}

/** Whole buckets of [start, end) that both the request and what is remembered cover in full. */
function coveredBy(remembered: Remembered, request: ReportRequest) {
  const { request: known, boundary } = remembered
  const { granularity, timeZone } = request
  const [start, end] = [Math.max(known.start, request.start), Math.min(known.end, request.end)]
  const finalEnd = Math.min(end, boundary)
  if (isWhole(request)) {
    return request.start === known.start && request.end === known.end && end <= boundary
      ? { start, end }
      : undefined
  }
  const first = bucketStart(start, granularity, timeZone)
  const isSame = start === request.start && start === known.start
  const from = first === start || isSame ? start : bucketEnd(first, granularity, timeZone)
  const isEnd = finalEnd === request.end && finalEnd === known.end
  const to = isEnd ? finalEnd : bucketStart(finalEnd, granularity, timeZone)
  // The window may have moved on, but not past its beginning: a hole there would be no answer.
  return known.start <= request.start && from < to ? { start: from, end: to } : undefined
}

const stale = (
  answer: Answer,
  ageMs: number,
  meta: Partial<Answer['meta']>,
  data: Answer['data'],
): Answer => ({
  data,
  meta: {
    ...answer.meta,
    ...meta,
    watermark: null,
    next: null,
    stale: true,
    age_seconds: Math.max(0, Math.round(ageMs / 1000)),
  },
})

/** Whether hours of [start, end) were published after `at`; while nobody can say, not. */
async function isRestated(catalogue: Queryable, at: number, start: number, end: number) {
  try {
    const rows = await catalogue.query(
      'SELECT 1 AS one FROM published_hours WHERE hour >= $1 AND hour < $2 AND published_at >= $3 LIMIT 1',
      [start - (start % hourMs), end, at],
    )
    return rows.length > 0
  } catch (error) {
    if (error instanceof ClickledgerError && error.code === 'unavailable') return false
    throw error
  }
}

/** @param now - milliseconds since 1970 */
export function createFinalMemory(catalogue: Queryable, now: () => number): FinalMemory {
  const remembered = new LRUCache<string, Remembered>({ maxSize: cellsMax })

  return {
    keep(request, answer, at) {
      const { data, meta } = answer
      const boundary = Date.parse(meta.boundary)
      const isPart = request.cursor !== undefined || meta.next !== null || meta.truncated
      // Whether the period before was published again is not looked at.
      if (request.compares) return
      if (isPart || request.start >= boundary || data.length > rowsMax) return
      const final = data.filter(({ provenance }) => provenance === 'final')
      const size = 20 + final.length * (2 + request.dimensions.length + request.metrics.length)
      const kept = { at, request, boundary, answer: { meta, data: final } }
      remembered.set(shapeOf(request), kept, { size })
    },
    async recall(request) {
      const known = remembered.get(shapeOf(request))
      if (!known || now() - known.at > ageMaxMs) return undefined
      const covered = coveredBy(known, request)
      if (!covered) return undefined
      const { start, end } = covered
      if (await isRestated(catalogue, known.at, start, end)) return undefined
      const data = known.answer.data.filter(({ time }) => {
        const at = Date.parse(String(time))
        return (
          isWhole(request) ||
          (at < end && at >= bucketStart(start, request.granularity, request.timeZone))
        )
      })
      const text = (time: number) => formatInstant(time, request.timeZone)
      const meta = { start_time: text(start), end_time: text(end), completeness: 'final' }
      return stale(known.answer, now() - known.at, meta, data)
    },
  }
}
