// A report query as a value: what serving asks and every OLAP adapter compiles. The boundary is
// part of it, so one statement over both views is one snapshot.
import type { DimensionName } from '#schemas/dimensions.ts'
import type { MetricName } from '#schemas/metrics.ts'
import type { Interval } from './boundary.ts'
import type { Position, SortKey } from './report-order.ts'

export const granularities = ['minute', 'hour', 'day', 'week', 'month', 'all'] as const
export type Granularity = (typeof granularities)[number]

export interface Filter {
  readonly dimension: DimensionName
  readonly kind: 'in' | 'not-in' | 'prefix'
  readonly values: readonly string[]
}

/** Whole UTC days of which the batch view no longer holds the minutes, or the hours. */
export interface Dropped {
  readonly minute: readonly Interval[]
  readonly hour: readonly Interval[]
}

export interface ReportQuery {
  /** Event times in ms: [start, end). */
  readonly start: number
  readonly end: number // exclusive
  /** Batch answers below, speed from here on. */
  readonly boundary: number
  /** Absent: nothing was ever dropped. */
  readonly dropped?: Dropped
  /**
   * Hours that are being published for the first time, in order, those that adjoin as one: they count once
   * they are published, and until then a store may show some of them or none. Absent: there are none.
   */
  readonly arriving?: readonly Interval[]
  readonly granularity: Granularity
  /** IANA name; decides where days, weeks and months begin. */
  readonly timeZone: string
  readonly dimensions: readonly DimensionName[]
  readonly filters: readonly Filter[]
  readonly metrics: readonly MetricName[]
  /** Completed by time and dimensions (core/report-order.ts). Absent: by these alone. */
  readonly order?: readonly SortKey[]
  /** Only rows after this position in the order. */
  readonly after?: Position
  readonly limit: number
}

/** A row of the answer: `time` is the start of the bucket in ms (the query's start for `all`). */
export interface ReportRow {
  readonly time: number
  readonly dimensions: Readonly<Partial<Record<DimensionName, string>>>
  readonly metrics: Readonly<Partial<Record<MetricName, number>>>
}
