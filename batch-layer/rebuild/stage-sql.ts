// SQL of one rebuild task: the relation `clicks` over Parquet files, the verdicts, and what is
// written for each hour.

import { exceptionsOrder, exceptionsSql, judgedAggregatesSql } from '#core/judged-sql.ts'
import type { RuleSet } from '#core/rules/rule-set.ts'
import {
  compileRuleSetInSlices,
  duckDbMacroSql,
  type Slice,
  type TimeRange,
} from '#core/rules/set-based.ts'
import { columnNames, emptyValue } from '#schemas/columns.ts'
import { archivedFields, type Field } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'

export interface LocalHour {
  readonly hour: number
  /** Local paths of its Parquet files. */
  readonly paths: readonly string[]
  /** Some of its files were written before a field was added. */
  readonly isOlder: boolean
  /** Only clicks of this advertiser count; absent: all. */
  readonly advertiserId?: string
}

const quote = (path: string) => `'${path.replaceAll("'", "''")}'`

/** A relation with these columns, and nothing in it. */
const noRowsSql = (fields: readonly Field[]) =>
  `SELECT ${fields.map((f) => `${emptyValue(f)} AS ${f.name}`).join(', ')} WHERE false`

/** Fields that a file does not have read as unknown. */
function olderRowsSql(list: string, fields: readonly Field[]): string {
  const known = fields.map((f) => `coalesce(${f.name}, ${emptyValue(f)}) AS ${f.name}`)
  return `(SELECT ${known.join(', ')} FROM (${noRowsSql(fields)} UNION ALL BY NAME
    SELECT * FROM read_parquet([${list}], hive_partitioning = false, union_by_name = true)))`
}

function hourSql(
  { hour, paths, isOlder, advertiserId }: LocalHour,
  fields: readonly Field[] = archivedFields,
): string {
  const list = paths.map(quote).join(', ')
  const rows = isOlder
    ? olderRowsSql(list, fields)
    : `read_parquet([${list}], hive_partitioning = false)`
  const only = advertiserId === undefined ? '' : `AND advertiser_id = ${quote(advertiserId)}`
  return `SELECT ${columnNames(fields)} FROM ${rows}
    WHERE event_time >= ${hour} AND event_time < ${hour + hourMs} ${only}`
}

/** SQL that yields the paths of files without some of these fields. */
export function olderFilesSql(paths: readonly string[], fields: readonly Field[]): string {
  const names = fields.map((f) => `'${f.name}'`).join(', ')
  return `SELECT file_name FROM parquet_schema([${paths.map(quote).join(', ')}])
    GROUP BY file_name HAVING count(*) FILTER (WHERE name IN (${names})) < ${fields.length}`
}

/**
 * Query of the relation `clicks`. One leg for each hour, each with its own time range, so that a rule with
 * a narrow window never opens the files of a wide one.
 */
export function clicksSql(
  hours: readonly LocalHour[],
  fields: readonly Field[] = archivedFields,
): string {
  if (hours.length === 0) return noRowsSql(fields)
  return hours.map((hour) => hourSql(hour, fields)).join('\nUNION ALL\n')
}

/** Share number `index` of `count` of all keys. */
function sliceOf(index: number, count: number): Slice {
  return (key) => (count === 1 ? undefined : `hash(${key.join(', ')}) % ${count} = ${index}`)
}

/**
 * Statements that make the table `verdicts`: a row for each click of the range that is a copy or
 * caught by a rule.
 * @param slices - how many shares of the keys are judged one after the other
 */
export function verdictsSql(ruleSet: RuleSet, range: TimeRange, slices: number): string[] {
  const list = Array.from({ length: slices }, (_, index) => sliceOf(index, slices))
  return [duckDbMacroSql, ...compileRuleSetInSlices(ruleSet, range, list)]
}

/** One part of an hour: aggregation holds its groups in memory, so big hours are cut by minutes. */
export const aggregateSql = (ruleSet: RuleSet, hour: LocalHour, part: TimeRange): string =>
  judgedAggregatesSql(ruleSet, `(${hourSql(hour)})`, part)

/** Verdicts of an hour's clicks that are not simply valid: with the raw file, a receipt of each click. */
export const hourVerdictsSql = (ruleSet: RuleSet, hour: LocalHour): string =>
  `${exceptionsSql(ruleSet, `(${hourSql(hour)})`)} ORDER BY ${exceptionsOrder.join(', ')}`

/** Rows of other advertisers, as files of an earlier run hold them. */
export const othersSql = (paths: readonly string[], advertiserId: string): string =>
  `SELECT * FROM read_parquet([${paths.map(quote).join(', ')}], hive_partitioning = false, union_by_name = true)
    WHERE advertiser_id <> ${quote(advertiserId)}`

/** Cuts an hour of `clicks` clicks into parts of about `partClicksMax`, along whole minutes. */
export function hourParts(hour: number, clicks: number, partClicksMax: number): TimeRange[] {
  const minutes = 60
  const parts = Math.min(minutes, Math.max(1, Math.ceil(clicks / partClicksMax)))
  const edges = Array.from({ length: parts + 1 }, (_, i) => Math.round((i * minutes) / parts))
  const minute = hourMs / minutes
  return edges
    .slice(1)
    .map((edge, i) => ({ start: hour + (edges[i] ?? 0) * minute, end: hour + edge * minute }))
}
