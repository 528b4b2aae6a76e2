// A statement as Druid SQL. A logical table is a sub-query over TABLE(APPEND(..)), which Druid's
// planner melts into the query around it: one native query over the union, pruned by its time.
import type { Interval } from '#core/boundary.ts'
import type { Filter } from '#core/report-query.ts'
import type { SqlCall, SqlStatement, SqlView } from '#core/sql.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { metricNames } from '#schemas/metrics.ts'
import { rangesOfSplit, sourceSql, timestampSql, type ViewRanges } from './druid-query.ts'
import type { DruidNames, View } from './druid-specs.ts'
import { createPrinter, type Dialect, limited, name, textSql } from './sql-print.ts'

/** Characters beyond ASCII and controls as escapes: Druid's planner reads them as Latin-1 otherwise. */
function unicodeSql(value: string): string {
  if (/^[\x20-\x7e]*$/.test(value)) return textSql(value)
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll(/[^\x20-\x7e]/g, (c) => `\\${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `U&${textSql(escaped)}`
}

function filterSql({ dimension, kind, values }: Filter): string {
  const list = values.map(unicodeSql).join(', ')
  // The tenant's predicate is a list; whatever else comes shows nothing.
  return kind === 'in' && values.length > 0 ? `${name(dimension)} IN (${list})` : 'FALSE'
}

const rowPeriod = { clicks: undefined, clicks_hour: 'PT1H', clicks_day: 'P1D' } as const

const hull = (ranges: ViewRanges): Interval => {
  const all = [...ranges.values()].flat()
  return {
    start: Math.min(...all.map(({ start }) => start)),
    end: Math.max(...all.map(({ end }) => end)),
  }
}

function viewSql(view: SqlView, names: DruidNames): string {
  const period = rowPeriod[view.table]
  const columns = [
    period ? `TIME_FLOOR(__time, '${period}') AS __time` : '__time',
    ...dimensionNames.map((d) => `COALESCE(${name(d)}, '') AS ${name(d)}`),
    ...metricNames.map(name),
  ]
  const ranges = rangesOfSplit(view.split)
  const epoch = { start: 0, end: 0 }
  const source =
    ranges.size > 0
      ? sourceSql(hull(ranges), names, ranges)
      : sourceSql(epoch, names, new Map([['speed', [epoch]]]))
  const filters = view.filters.map((filter) => ` AND ${filterSql(filter)}`).join('')
  return `SELECT ${columns.join(', ')} FROM ${source}${filters}`
}

function callSql(call: SqlCall, args: readonly string[], filter: string): string {
  if (call.name === 'COUNT' && args.length === 0) return `COUNT(*)${filter}`
  if (call.name === 'TIMESTAMPDIFF') return `TIMESTAMPDIFF(${call.unit}, ${args.join(', ')})`
  return `${call.name}(${call.distinct ? 'DISTINCT ' : ''}${args.join(', ')})${filter}`
}

const dialectOf = (names: DruidNames): Dialect => ({
  text: unicodeSql,
  instant: timestampSql,
  call: callSql,
  cast: ({ to }, arg) => `CAST(${arg} AS ${to})`,
  op: (op, args) => args.join(` ${op} `),
  view: (view) => viewSql(view, names),
  order: (descending) => (descending ? ' DESC' : ''),
})

/** Compiles a statement. Without parameters: every value is in the text, quoted here. */
export const compileDruidStatement = (statement: SqlStatement, names: DruidNames): string =>
  createPrinter(dialectOf(names)).querySql(limited(statement.query, statement.rowsMax))

/** What a statement reads of each view. */
export function statementRanges({ views }: SqlStatement): ViewRanges {
  const ranges = new Map<View, Interval[]>()
  for (const { split } of views) {
    for (const [view, some] of rangesOfSplit(split)) {
      ranges.set(view, [...(ranges.get(view) ?? []), ...some])
    }
  }
  return ranges
}
