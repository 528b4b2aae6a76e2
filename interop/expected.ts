// What other engines should find in the archive and in a staged run: the naive definition over the
// clicks, in the columns and types that docs/INTEROP.md promises.
import { aggregateByMinute } from '#core/minute-aggregates.ts'
import { judgeNaively } from '#core/rules/naive.ts'
import type { RuleSet } from '#core/rules/rule-set.ts'
import type { TimeRange } from '#core/rules/set-based.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { type ArchivedClick, archivedFields, type FieldType } from '#schemas/fields.ts'
import { sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'

export type Row = Readonly<Record<string, unknown>>

/** Columns that come from the folders' names. */
export const hiveColumns = ['year', 'month', 'day', 'hour'] as const

/** Type of each archive column under an engine's names for them. */
export function archiveTypes(names: Record<FieldType, string>, hive: string) {
  return {
    ...Object.fromEntries(archivedFields.map((f) => [f.name, names[f.type]])),
    ...Object.fromEntries(hiveColumns.map((name) => [name, hive])),
  }
}

function hiveOf(time: number) {
  const d = new Date(time)
  return {
    year: d.getUTCFullYear(),
    month: d.getUTCMonth() + 1,
    day: d.getUTCDate(),
    hour: d.getUTCHours(),
  }
}

const byPosition = (a: Row, b: Row) =>
  Number(a.raw_partition) - Number(b.raw_partition) || Number(a.raw_offset) - Number(b.raw_offset)

/** Rows by partition and offset. */
export const inOrder = <R extends Row>(rows: readonly R[]): R[] => [...rows].sort(byPosition)

export const archiveRows = (clicks: readonly ArchivedClick[]): Row[] =>
  inOrder(clicks.map((click) => ({ ...click, ...hiveOf(click.event_time) })))

/** Of each click that is not simply valid: what verdicts.parquet says. */
export function verdictRows(ruleSet: RuleSet, clicks: readonly ArchivedClick[]): Row[] {
  const verdicts = judgeNaively(ruleSet, clicks)
  const rows = clicks.map((click, i) => {
    const { status, rule } = verdicts[i] ?? { status: 'copy', rule: 'copy' }
    const { advertiser_id, event_id, event_time, ad_id, raw_partition, raw_offset } = click
    return {
      ...{ advertiser_id, event_id, event_time, ad_id, raw_partition, raw_offset, status, rule },
      ...hiveOf(event_time),
    }
  })
  return inOrder(rows.filter(({ status }) => status !== 'valid'))
}

const sortedSet = (list: unknown) => [...new Set((list as string[] | null) ?? [])].sort()

/** Aggregate rows as text, each minute and dimensions once, members as sets: comparable in any order. */
export function comparableAggregates(rows: readonly Row[]): string[] {
  const names = ['minute', ...dimensionNames, ...sumMetrics.map((m) => m.name)]
  const line = (row: Row) =>
    JSON.stringify([
      ...names.map((name) => row[name]),
      ...uniqueMetrics.map((m) => sortedSet(row[m.members])),
    ])
  return rows.map(line).sort()
}

/** The same from clicks. */
export function expectedAggregates(ruleSet: RuleSet, clicks: readonly ArchivedClick[]): string[] {
  const verdicts = judgeNaively(ruleSet, clicks)
  const judged = clicks.flatMap((click, i) => {
    const status = verdicts[i]?.status
    return status ? [{ click, status }] : []
  })
  return comparableAggregates(
    aggregateByMinute(judged).map(({ minute, dimensions, counts, visitors, ipHashes }) => ({
      ...{ minute, ...dimensions, ...counts },
      ...{ visitors: [...visitors], ip_hashes: [...ipHashes] },
    })),
  )
}

/** A range that holds all clicks. */
export const wholeOf = (clicks: readonly ArchivedClick[]): TimeRange => ({
  start: 0,
  end: Math.max(...clicks.map((click) => click.event_time)) + 1,
})
