// Short reports are asked segment by segment: beside its rows, each segment that was read is named. So the
// answer itself shows that nothing was left out, and no broker has to be asked around it. What a broker
// would have added up is added up here.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { metricByName } from '#schemas/metrics.ts'
import { minuteMs } from '#schemas/paths.ts'
import { DruidError } from './druid-http.ts'
import { type TimeRow, toReportRow } from './druid-query.ts'
import type { ViewRanges } from './druid-ranges.ts'
import {
  type DruidNames,
  parseInterval,
  type Spec,
  segmentMs,
  type View,
  views,
} from './druid-specs.ts'
import type { Shown } from './druid-timeline.ts'

/** Segments of an answer, about: beyond it, naming them takes longer than asking a broker. */
const segmentsMax = 400

/** What is answered of one segment. */
export interface SegmentRows {
  readonly result: {
    /** `name_start_end_version`, and `_partition` from the second one on. */
    readonly segment: string
    /** The part of it that was read. */
    readonly interval: string
    readonly results: readonly TimeRow[]
  }
}

/** A segment of which a part was read: start and end are the part's. */
export interface ReadSegment extends Shown {
  readonly view: View
  /** The interval of all of it, as Druid writes it. */
  readonly whole: string
}

/** Whether a compiled query can be asked so: sums in the order of time, and all of them on the page. */
export function isBySegment(query: ReportQuery, { queryType }: Spec, ranges: ViewRanges): boolean {
  const { start, end, granularity, metrics, limit } = query
  if (queryType !== 'timeseries') return false
  if (!metrics.every((name) => metricByName(name).kind === 'sum')) return false
  if (granularity === 'minute' && end - start > limit * minuteMs) return false
  const segments = [...ranges.keys()].map((view) => (end - start) / segmentMs(view))
  return segments.reduce((sum, n) => sum + n, 0) <= segmentsMax
}

/** Every segment is asked, also where a filter leaves nothing of it: an answer names all. */
export const bySegment = (native: Spec): Spec => ({
  ...native,
  context: { ...(native.context as Spec), bySegment: true, secondaryPartitionPruning: false },
})

/** The segments that an answer names. */
export function segmentsRead(answer: readonly SegmentRows[], names: DruidNames): ReadSegment[] {
  const viewOf = (segment: string) => views.find((view) => segment.startsWith(`${names[view]}_`))
  return answer.flatMap(({ result: { segment, interval } }) => {
    const view = viewOf(segment)
    if (!view) return []
    const [start = '', end = '', version = '', partition = '0'] = segment
      .slice(names[view].length + 1)
      .split('_')
    const whole = `${start}/${end}`
    return [{ view, whole, ...parseInterval(interval), version, partition: Number(partition) }]
  })
}

/**
 * The rows of the report: what the segments have of a time, added up.
 * @throws DruidError where the same is there twice; such rows would count twice
 */
export function mergeSegments(query: ReportQuery, answer: readonly SegmentRows[]): ReportRow[] {
  const sums = new Map<string, Record<string, number>>()
  const seen = new Set<string>()
  for (const { result: segment } of answer) {
    const part = `${segment.segment} ${segment.interval}`
    if (seen.has(part)) throw new DruidError(502, `it was read twice: ${part}`)
    seen.add(part)
    for (const { timestamp, result } of segment.results) {
      const sum = sums.get(timestamp)
      if (!sum) sums.set(timestamp, { ...result } as Record<string, number>)
      else for (const name in result) sum[name] = (sum[name] ?? 0) + (result[name] ?? 0)
    }
  }
  const sign = query.order?.[0]?.descending ? -1 : 1
  return [...sums]
    .map(([timestamp, result]) => toReportRow(query, { timestamp, result }))
    .sort((a, b) => sign * (a.time - b.time))
    .slice(0, query.limit)
}
