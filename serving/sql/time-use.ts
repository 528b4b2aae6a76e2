// What a SELECT asks of the time of a table: the range that its WHERE sets, and the coarsest buckets
// that answer it exactly. Where in doubt: all time, by minute. Reading fewer rows must change nothing.
import type { Interval } from '#core/boundary.ts'
import { type GrainSplit, planGrains } from '#core/grain.ts'
import type { Granularity } from '#core/report-query.ts'
import type { LogicalTable, SqlCall, SqlExpr, SqlSelect } from '#core/sql.ts'
import { sqlFunctions } from '#core/sql-functions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import type { Pinned } from './scope.ts'

/** Clicks may carry a time that is a little ahead. */
const aheadMs = dayMs

/** The expressions right below one; of sub-queries nothing: they cannot see this table. */
export function partsOf(expr: SqlExpr): readonly SqlExpr[] {
  switch (expr.kind) {
    case 'call':
      return expr.filter ? [...expr.args, expr.filter] : expr.args
    case 'op':
      return expr.args
    case 'not':
    case 'minus':
    case 'is':
    case 'cast':
      return [expr.arg]
    case 'in':
      return 'legs' in expr.values ? [expr.arg] : [expr.arg, ...expr.values]
    case 'like':
      return [expr.arg, expr.pattern]
    case 'case':
      return [...expr.whens.flat(), ...(expr.otherwise ? [expr.otherwise] : [])]
    default:
      return []
  }
}

const isTimeOf = (expr: SqlExpr | undefined, alias: string): boolean =>
  expr?.kind === 'column' && expr.source === alias && expr.name === '__time'

export const conjunctsOf = (expr: SqlExpr | undefined): readonly SqlExpr[] => {
  if (!expr) return []
  return expr.kind === 'op' && expr.op === 'AND' ? expr.args.flatMap(conjunctsOf) : [expr]
}

const mirrored: Record<string, string> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=', '=': '=' }

/** The range of `__time < instant` and its like; undefined: another expression. */
function comparedRange(expr: SqlExpr, alias: string): Interval | undefined {
  if (expr.kind !== 'op' || !mirrored[expr.op]) return undefined
  const [left, right] = expr.args
  const [op, at] = isTimeOf(left, alias)
    ? [expr.op, right]
    : isTimeOf(right, alias)
      ? [mirrored[expr.op], left]
      : [undefined, undefined]
  if (op === undefined || at?.kind !== 'instant') return undefined
  const { time } = at
  const [before, after] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
  if (op === '=') return { start: time, end: time + 1 }
  if (op === '<' || op === '<=') return { start: before, end: op === '<' ? time : time + 1 }
  return { start: op === '>=' ? time : time + 1, end: after }
}

/** What a condition leaves of time. */
function rangeOf(expr: SqlExpr, alias: string): Interval | undefined {
  if (expr.kind !== 'op' || (expr.op !== 'AND' && expr.op !== 'OR'))
    return comparedRange(expr, alias)
  const ranges = expr.args.map((arg) => rangeOf(arg, alias))
  const known = ranges.filter((range) => range !== undefined)
  if (known.length === 0 || (expr.op === 'OR' && known.length < ranges.length)) return undefined
  const [start, end] = [known.map((r) => r.start), known.map((r) => r.end)]
  return expr.op === 'AND'
    ? { start: Math.max(...start), end: Math.min(...end) }
    : { start: Math.min(...start), end: Math.max(...end) }
}

interface Buckets {
  readonly granularity: Granularity
  readonly timeZone: string
}

const granularityOf: Record<string, Granularity> = {
  ...{ PT1H: 'hour', P1D: 'day', P1W: 'week', P1M: 'month', P3M: 'month', P1Y: 'month' },
}

/** The buckets of TIME_FLOOR(__time, 'PT1H', NULL, zone). */
function floorOf(expr: SqlExpr, alias: string): Buckets | undefined {
  if (expr.kind !== 'call' || expr.name !== 'TIME_FLOOR' || !isTimeOf(expr.args[0], alias)) {
    return undefined
  }
  const [, period, origin, zone] = expr.args.map((a) => (a.kind === 'value' ? a.value : undefined))
  const granularity = typeof period === 'string' ? granularityOf[period] : undefined
  if (!granularity || origin !== null || typeof zone !== 'string') return undefined
  return { granularity, timeZone: zone }
}

const isMetric = (expr: SqlExpr) =>
  expr.kind === 'column' && (expr.holds === 'number' || expr.holds === 'sketch')

/** Whether an aggregate is the same over rows and over sums of rows. */
function isAdditive({ name, args, distinct = false }: SqlCall): boolean {
  const [first] = args
  if (name === 'SUM') return !distinct && first?.kind === 'column' && first.holds === 'number'
  if (name === 'COUNT' || name === 'AVG')
    return distinct && first !== undefined && !mentions(first, isMetric)
  if (name.startsWith('APPROX_COUNT_DISTINCT') && first?.kind === 'column')
    return first.holds !== 'number'
  return first !== undefined && !mentions(first, isMetric)
}

const mentions = (expr: SqlExpr, is: (expr: SqlExpr) => boolean): boolean =>
  is(expr) || partsOf(expr).some((part) => mentions(part, is))

export const isAggregate = (expr: SqlExpr): boolean =>
  expr.kind === 'call' && sqlFunctions.get(expr.name)?.aggregate === true

/** Collects the buckets of an expression. @returns false: it needs the rows as they are */
function collect(expr: SqlExpr, alias: string, found: Buckets[]): boolean {
  const floor = floorOf(expr, alias)
  if (floor) {
    found.push(floor)
    return true
  }
  if (isTimeOf(expr, alias) || isMetric(expr)) return false
  if (expr.kind !== 'call' || !isAggregate(expr)) {
    return partsOf(expr).every((part) => collect(part, alias, found))
  }
  if (!isAdditive(expr)) return false
  const parts = isMetric(expr.args[0] ?? expr) ? expr.args.slice(1) : expr.args
  return [...parts, ...(expr.filter ? [expr.filter] : [])].every((part) =>
    collect(part, alias, found),
  )
}

const rank: readonly Granularity[] = ['minute', 'hour', 'day', 'week', 'month', 'all']

/** The coarsest buckets whose sums give the same answer; by minute where that cannot be told. */
function bucketsOf(exprs: readonly SqlExpr[], alias: string): Buckets {
  const byMinute: Buckets = { granularity: 'minute', timeZone: 'UTC' }
  if (!exprs.some((expr) => mentions(expr, isAggregate))) return byMinute
  const found: Buckets[] = []
  const rest = exprs.filter((expr) => !comparedRange(expr, alias))
  if (!rest.every((expr) => collect(expr, alias, found))) return byMinute
  const [first] = found
  if (!first) return { granularity: 'all', timeZone: 'UTC' }
  if (found.some((other) => other.timeZone !== first.timeZone)) return byMinute
  const ranks = found.map(({ granularity }) => rank.indexOf(granularity))
  const granularities = new Set(found.map(({ granularity }) => granularity))
  // A week can lie in two months: their common buckets are days.
  if (granularities.has('week') && granularities.has('month'))
    return { ...first, granularity: 'day' }
  return { ...first, granularity: rank[Math.min(...ranks)] ?? 'minute' }
}

const stepOf: Record<LogicalTable, number> = { clicks: 1, clicks_hour: hourMs, clicks_day: dayMs }
const upTo = (time: number, step: number) => Math.ceil(time / step) * step

export interface TimeUse {
  readonly table: LogicalTable
  readonly alias: string
  readonly select: Pick<SqlSelect, 'where' | 'joins'>
  /** Everything that the SELECT computes; conditions of WHERE one by one. */
  readonly exprs: readonly SqlExpr[]
}

/** The rows of a table that answer a SELECT. @throws ClickledgerError `not-kept` */
export function planView({ table, alias, select, exprs }: TimeUse, pinned: Pinned): GrainSplit {
  const { boundary, dropped, arriving, earliest, now } = pinned
  const range = select.where && rangeOf(select.where, alias)
  const step = stepOf[table]
  // A whole day: its hours may no longer be there.
  const first = earliest - (earliest % dayMs)
  const start = Math.max(range ? upTo(range.start, step) : first, first)
  const end = upTo(Math.min(range?.end ?? now + aheadMs, now + aheadMs), step)
  if (start >= end) return { batch: [], speed: undefined }
  const asked: Buckets =
    select.joins.length > 0 ? { granularity: 'minute', timeZone: 'UTC' } : bucketsOf(exprs, alias)
  try {
    return planGrains({ start, end, boundary, dropped, arriving, ...ofTable(table, asked) })
  } catch (error) {
    if (!(error instanceof ClickledgerError) || error.code !== 'not-kept') throw error
    throw new ClickledgerError(
      'not-kept',
      `${table}: ${error.message} Set a later beginning with __time >= .., or ask clicks_hour or clicks_day.`,
    )
  }
}

/** The rows of a table by hour or day are those of UTC, whatever they are put into. */
function ofTable(table: LogicalTable, asked: Buckets): Buckets {
  if (table === 'clicks') return asked
  if (table === 'clicks_day') return { granularity: 'day', timeZone: 'UTC' }
  const isCoarser = asked.timeZone === 'UTC' && asked.granularity !== 'minute'
  return { granularity: isCoarser ? asked.granularity : 'hour', timeZone: 'UTC' }
}
