// The OLAP store: a speed view that it feeds itself from clicks.judged, exactly once; a batch view
// that is replaced hour by hour; one query over both.
import type { Interval } from '#core/boundary.ts'
import type { Grain } from '#core/grain.ts'
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import type { SqlAnswer, SqlStatement } from '#core/sql.ts'

export interface HourLoad {
  /** Start of the hour, ms. */
  readonly hour: number
  readonly run: string
  /** Object keys of the staged aggregates; none: the hour becomes empty. */
  readonly files: readonly string[]
}

export interface RealtimeStatus {
  /** Next offset of each partition of clicks.judged: everything below is visible to queries. */
  readonly applied: readonly number[]
}

/** What an operator should know beside the answers. */
export interface OlapHealth {
  /** What is wrong, in words; empty while all is well. */
  readonly problems: readonly string[]
  /** Judged clicks (and transaction markers) that queries do not see yet. */
  readonly lagRecords: number
  /** Published parts of a view that cannot be read; queries that need them are refused. */
  readonly unavailableSegments: number
}

/** Sums of one hour of a view, for diffs and checks. */
export interface HourTotals {
  readonly hour: number
  readonly click_count: number
  readonly gross_click_count: number
  readonly duplicate_click_count: number
  readonly fraudulent_click_count: number
}

/**
 * @param applied - as `realtime` tells it: the rows were read from everything below these offsets. Absent
 *   where they do not show that; `realtime` has to be asked
 */
export type OnRead = (applied?: readonly number[]) => void

export interface OlapStore {
  /**
   * @param atLeast - offsets that were told before. Where all below them is still visible, they may be
   *   told again: that is found out sooner than the newest.
   */
  realtime(atLeast?: readonly number[]): Promise<RealtimeStatus>
  health(): Promise<OlapHealth>
  /**
   * Replaces hours of the batch view, each atomically in each grain: its minutes, its hour, and the
   * day that it is part of. Repeating it changes nothing.
   */
  replaceHours(loads: readonly HourLoad[]): Promise<void>
  /**
   * Hours of these loads that queries see already, in all grains.
   * @param finest - finer rows are not looked at: they were dropped
   */
  loadedHours(loads: readonly HourLoad[], finest?: Grain): Promise<readonly number[]>
  /**
   * Waits until nothing changes the batch view any more that was begun by a process which has ended: a store
   * may go on with what it was told.
   * @returns whether there was anything to wait for
   */
  settled(): Promise<boolean>
  /**
   * Totals of hours in [start, end) of one view; hours without rows are absent, and so are those
   * that the batch view keeps by day only.
   */
  hourTotals(view: 'batch' | 'speed', start: number, end: number): Promise<HourTotals[]>
  /**
   * Answers below the boundary from the coarsest rows that are exact (core/grain.ts).
   * @throws ClickledgerError `unavailable` rather than an answer that misses what is published,
   *   `not-kept` where the query needs what was dropped
   * @param signal - aborted: nobody waits any more. The store ends the query, and the promise settles
   *   when it has.
   * @param onRead - told once the rows are read, while the store may still be looking whether they are
   *   all: what the caller has to look at afterwards need not wait for that
   */
  query(query: ReportQuery, signal?: AbortSignal, onRead?: OnRead): Promise<ReportRow[]>
  /**
   * Runs a statement. Reading its rows can fail like the call itself.
   * @param signal - as of `query`, while rows are read too
   * @throws ClickledgerError `sql-refused` with the reason, `unavailable`, `query-timeout`,
   *   `query-too-large`
   */
  sql(statement: SqlStatement, signal?: AbortSignal): Promise<SqlAnswer>
  /**
   * Removes clicks of the speed view before `time`, which the boundary must have passed. Answers
   * lose them soon after.
   * @returns whether the store still holds them for a while: ask again, and do other work meanwhile
   */
  dropSpeedBefore(time: number): Promise<boolean>
  /**
   * Removes minutes or hours of the batch view, of whole UTC days that every query asked from now on
   * names in `dropped`. Coarser grains stay as they are, and can still be replaced.
   */
  dropBatch(grain: 'minute' | 'hour', days: Interval): Promise<void>
  /**
   * Rewrites some of the batch view before `time`, which the boundary must have passed, so that long
   * reports are read from fewer pieces. Answers stay the same, meanwhile too.
   * @returns whether there is more to do
   */
  compactBefore(time: number): Promise<boolean>
  close(): Promise<void>
}
