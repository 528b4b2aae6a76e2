// What a query reads of each view, as values and as the FROM of a statement. Only an outer range of time
// prunes segments: within it each view is asked for its side, by its rows' `layer`.
import type { Interval } from '#core/boundary.ts'
import { type GrainSplit, mergeIntervals, planGrains } from '#core/grain.ts'
import type { ReportQuery } from '#core/report-query.ts'
import { type DruidNames, grainViews, type View } from './druid-specs.ts'
import { textSql } from './sql-print.ts'

/** What a query reads of each view, in order. */
export type ViewRanges = ReadonlyMap<View, readonly Interval[]>

/** `TIMESTAMP '2026-11-22 05:00:00.000'` of an instant (ms). */
export const timestampSql = (time: number): string =>
  `TIMESTAMP '${new Date(time).toISOString().slice(0, 23).replace('T', ' ')}'`

/** @throws ClickledgerError `not-kept` */
export const viewRanges = (query: ReportQuery): ViewRanges => rangesOfSplit(planGrains(query))

/** What a split reads of each view. */
export function rangesOfSplit({ batch, speed }: GrainSplit): ViewRanges {
  const pieces = [
    ...batch.map((part) => ({ view: grainViews[part.grain] as View, range: part })),
    ...(speed ? [{ view: 'speed' as const, range: speed }] : []),
  ]
  const ranges = new Map<View, Interval[]>()
  for (const { view, range } of pieces) {
    ranges.set(view, [...(ranges.get(view) ?? []), { start: range.start, end: range.end }])
  }
  return ranges
}

const withinSql = ({ start, end }: Interval) =>
  `__time >= ${timestampSql(start)} AND __time < ${timestampSql(end)}`

/** All that is read, of whichever views. */
export const intervalsOf = (ranges: ViewRanges): Interval[] =>
  mergeIntervals([...ranges.values()].flat())

/**
 * FROM and WHERE without the filters, within `query`.
 * @param views - what FROM names, at least the views of the ranges
 */
export function sourceSql(
  query: Interval,
  names: DruidNames,
  ranges: ViewRanges,
  views: readonly View[] = [...ranges.keys()],
): string {
  const [first = 'speed'] = views
  const isOne = views.length <= 1
  const tables = views.map((view) => textSql(names[view])).join(', ')
  const from = isOne ? `"${names[first]}"` : `TABLE(APPEND(${tables}))`
  const layers = [...ranges].map(
    ([view, some]) => `(layer = '${view}' AND (${some.map(withinSql).join(' OR ')}))`,
  )
  const isAll = isOne && ranges.get(first)?.length === 1
  const which = isAll ? `layer = '${first}'` : `(${layers.join(' OR ')})`
  return `${from} WHERE ${withinSql(query)} AND ${which}`
}
