// A statement as Druid SQL. A logical table is a sub-query over TABLE(APPEND(..)), which Druid's
// planner melts into the query around it: one native query over the union, pruned by its time.
import type { Interval } from '#core/boundary.ts'
import type { Filter } from '#core/report-query.ts'
import type { SqlCall, SqlStatement, SqlView } from '#core/sql.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { metrics } from '#schemas/metrics.ts'
import { rangesOfSplit, sourceSql, timestampSql, type ViewRanges } from './druid-ranges.ts'
import { type DruidNames, type View, views } from './druid-specs.ts'
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

const nothing: Interval = { start: 0, end: 0 }

function viewSql(view: SqlView, names: DruidNames, tables: readonly View[]): string {
  const period = rowPeriod[view.table]
  const columns = [
    period ? `TIME_FLOOR(__time, '${period}') AS __time` : '__time',
    ...dimensionNames.map((d) => `COALESCE(${name(d)}, '') AS ${name(d)}`),
    // A row of the speed view without a single click of a kind has null there.
    ...metrics.map((m) =>
      m.kind === 'sum' ? `COALESCE(${name(m.name)}, 0) AS ${name(m.name)}` : name(m.name),
    ),
  ]
  const some = rangesOfSplit(view.split)
  const ranges: ViewRanges = some.size > 0 ? some : new Map([[tables[0] ?? 'speed', [nothing]]])
  const source = sourceSql(hull(ranges), names, ranges, tables)
  const filters = view.filters.map((filter) => ` AND ${filterSql(filter)}`).join('')
  return `SELECT ${columns.join(', ')} FROM ${source}${filters}`
}

function callSql(call: SqlCall, args: readonly string[], filter: string): string {
  if (call.name === 'COUNT' && args.length === 0) return `COUNT(*)${filter}`
  if (call.name === 'TIMESTAMPDIFF') return `TIMESTAMPDIFF(${call.unit}, ${args.join(', ')})`
  return `${call.name}(${call.distinct ? 'DISTINCT ' : ''}${args.join(', ')})${filter}`
}

const dialectOf = (names: DruidNames, tables: readonly View[]): Dialect => ({
  text: unicodeSql,
  instant: timestampSql,
  call: callSql,
  cast: ({ to }, arg) => `CAST(${arg} AS ${to})`,
  op: (op, args) => args.join(` ${op} `),
  view: (view) => viewSql(view, names, tables),
  order: (descending) => (descending ? ' DESC' : ''),
})

/**
 * Compiles a statement. Without parameters: every value is in the text, quoted here. Every table of it
 * names the same datasources: Druid 33 takes two TABLE(APPEND(..)) of one statement for the same one,
 * and reads the first for both.
 */
export function compileDruidStatement(statement: SqlStatement, names: DruidNames): string {
  const used = statementRanges(statement)
  const all = views.filter((view) => used.has(view))
  const printer = createPrinter(dialectOf(names, all.length > 0 ? all : ['speed']))
  return printer.querySql(limited(statement.query, statement.rowsMax))
}

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
