// Which rollup answers which piece of a report: the coarsest that is exact. A row of a rollup can be
// used only where the whole of it lies in the range, below the boundary, and in one bucket: days are
// UTC days, so a day of New York is made of hours, and one of Kolkata needs minutes at its edges.
import { ClickledgerError } from '#schemas/errors.ts'
import { dayMs, hourMs, minuteMs } from '#schemas/paths.ts'
import { type Interval, splitAtBoundary } from './boundary.ts'
import { bucketEnd, bucketStart, zoneOffsetMs } from './buckets.ts'
import type { Dropped, ReportQuery } from './report-query.ts'

/** Finest first. */
export const grains = ['minute', 'hour', 'day'] as const
export type Grain = (typeof grains)[number]

export interface GrainPart extends Interval {
  readonly grain: Grain
}

export interface GrainSplit {
  /** Of the batch view: in order, without overlap, and without gap but for what is arriving. */
  readonly batch: readonly GrainPart[]
  /** Answered by the speed view; undefined where empty. */
  readonly speed: Interval | undefined
}

type Asked = Pick<ReportQuery, 'start' | 'end' | 'boundary' | 'granularity' | 'timeZone'>

const steps = { minute: minuteMs, hour: hourMs, day: dayMs } as const

/** Cuts a range that lies in one bucket, or whose buckets are whole rows of `coarsest`. */
function cut({ start, end }: Interval, coarsest: Grain): GrainPart[] {
  if (start >= end) return []
  if (coarsest === 'minute') return [{ grain: 'minute', start, end }]
  const step = steps[coarsest]
  const finer = coarsest === 'day' ? 'hour' : 'minute'
  const [from, to] = [Math.ceil(start / step) * step, Math.floor(end / step) * step]
  if (from >= to) return cut({ start, end }, finer)
  return [
    ...cut({ start, end: from }, finer),
    { grain: coarsest, start: from, end: to },
    ...cut({ start: to, end }, finer),
  ]
}

/** Zones change their offset at most once a day: where its ends are alike, so are the hours between. */
function cutByHour({ start, end }: Interval, timeZone: string, step: number = dayMs): GrainPart[] {
  if (timeZone === 'UTC') return cut({ start, end }, 'hour')
  const parts: GrainPart[] = []
  const isWhole = (time: number) => zoneOffsetMs(time, timeZone) % hourMs === 0
  for (let from = start; from < end; ) {
    const to = Math.min(end, Math.floor(from / step) * step + step)
    const [first, last] = [isWhole(from), isWhole(to - 1)]
    const some = { start: from, end: to }
    if (first !== last && step > hourMs) parts.push(...cutByHour(some, timeZone, hourMs))
    else parts.push(...cut(some, first && last ? 'hour' : 'minute'))
    from = to
  }
  return parts
}

function cutByBucket({ start, end }: Interval, { granularity, timeZone }: Asked): GrainPart[] {
  const parts: GrainPart[] = []
  for (let from = start; from < end; ) {
    const ends = bucketEnd(bucketStart(from, granularity, timeZone), granularity, timeZone)
    const to = Math.min(end, ends)
    parts.push(...cut({ start: from, end: to }, 'day'))
    from = to
  }
  return parts
}

/** Neighbours of one grain become one part. */
function joined(parts: readonly GrainPart[]): GrainPart[] {
  const result: GrainPart[] = []
  for (const part of parts) {
    const last = result.at(-1)
    if (last?.grain === part.grain) result[result.length - 1] = { ...last, end: part.end }
    else result.push(part)
  }
  return result
}

function cutBatch(interval: Interval, query: Asked): GrainPart[] {
  const { granularity, timeZone } = query
  if (granularity === 'minute') return cut(interval, 'minute')
  if (granularity === 'hour') return cutByHour(interval, timeZone)
  if (granularity === 'all') return cut(interval, 'day')
  // In UTC every day lies in one bucket, whatever the bucket.
  return timeZone === 'UTC' ? cut(interval, 'day') : cutByBucket(interval, query)
}

/**
 * Splits the range of a query at the boundary, and what is below it by grain. Every minute lies in
 * one part; a part of hours or days begins and ends with whole ones.
 */
export function splitByGrain(query: Asked): GrainSplit {
  const { batch, speed } = splitAtBoundary(query, query.boundary)
  return { batch: batch ? joined(cutBatch(batch, query)) : [], speed }
}

export const overlaps = (a: Interval, b: Interval): boolean => a.start < b.end && a.end > b.start

/** The first part that the batch view no longer holds all of; undefined: it can answer. */
export function droppedPart(
  parts: readonly GrainPart[],
  dropped: Dropped | undefined,
): GrainPart | undefined {
  return parts.find(
    (part) => part.grain !== 'day' && dropped?.[part.grain].some((gone) => overlaps(part, gone)),
  )
}

const iso = (time: number) => new Date(time).toISOString()

/** What is left of a part where rows that lie wholly in `gone` are not read. @param gone - in order */
function without(part: GrainPart, gone: readonly Interval[]): GrainPart[] {
  const step = steps[part.grain]
  const left: GrainPart[] = []
  let { start } = part
  for (const range of gone) {
    const from = Math.max(start, Math.ceil(range.start / step) * step)
    const to = Math.min(part.end, Math.floor(range.end / step) * step)
    if (from >= to) continue
    if (start < from) left.push({ ...part, start, end: from })
    start = to
  }
  return start < part.end ? [...left, { ...part, start }] : left
}

/**
 * Splits a query that is about to be asked.
 * @throws ClickledgerError `not-kept` where it needs rows that were dropped
 */
export function planGrains(query: Asked & Pick<ReportQuery, 'dropped' | 'arriving'>): GrainSplit {
  const { batch, speed } = splitByGrain(query)
  const { arriving = [] } = query
  const split = { batch: batch.flatMap((part) => without(part, arriving)), speed }
  const part = droppedPart(split.batch, query.dropped)
  if (!part) return split
  throw new ClickledgerError(
    'not-kept',
    `By ${query.granularity} in ${query.timeZone}, ${iso(part.start)} to ${iso(part.end)} needs rows by ${part.grain}, which are no longer kept for all of it.`,
  )
}

/** Intervals as the ranges that they make up: in order, those that meet as one. */
export function mergeIntervals(intervals: readonly Interval[]): Interval[] {
  const ranges: Interval[] = []
  for (const { start, end } of intervals.toSorted((a, b) => a.start - b.start)) {
    const last = ranges.at(-1)
    if (last && last.end >= start) {
      ranges[ranges.length - 1] = { start: last.start, end: Math.max(last.end, end) }
    } else ranges.push({ start, end })
  }
  return ranges
}

/** Days (their starts) as the ranges that they make up. */
export const rangesOfDays = (days: readonly number[]): Interval[] =>
  mergeIntervals(days.map((start) => ({ start, end: start + dayMs })))
