// Calls -> values of core/sql.ts, by the allow-list of core/sql-functions.ts. Times that are known
// beforehand become instants here: CURRENT_TIMESTAMP is one moment in all of a statement.
import {
  type SqlBase,
  type SqlFunction,
  type SqlInterval,
  SqlStar,
  SqlType,
} from 'druid-query-toolkit'
import { bucketStart, canonicalZone } from '#core/buckets.ts'
import { castTypes, type SqlCall, type SqlExpr } from '#core/sql.ts'
import { extractUnits, sketchFunctions, sqlFunctions, timeUnits } from '#core/sql-functions.ts'
import { limits } from '#schemas/limits.ts'
import { bindExpression, kindOf, type Place } from './bind-expression.ts'
import { addUnits, instant, readInstant, wordOf } from './literals.ts'
import { quoted, refusal } from './refusal.ts'
import type { Scope } from './scope.ts'

const otherNames: Record<string, string> = {
  CEILING: 'CEIL',
  POW: 'POWER',
  TRUNC: 'TRUNCATE',
}

/** `<time> + INTERVAL '3' DAY` */
export function addInterval(time: SqlExpr, part: SqlInterval, sign: number, zone: string): SqlExpr {
  const text = String(part.intervalValue?.value ?? '')
  const unit = (part.unit ?? '').toUpperCase()
  if (!/^[-+]?\d{1,9}$/.test(text) || !timeUnits.has(unit)) {
    throw refusal(`INTERVAL '${quoted(text)}' ${quoted(unit)}: write a whole number and one unit.`)
  }
  const count = sign * Number(text)
  return added(time, unit, { kind: 'value', value: count }, zone)
}

function added(time: SqlExpr, unit: string, count: SqlExpr, zone: string): SqlExpr {
  if (time.kind === 'instant' && count.kind === 'value' && typeof count.value === 'number') {
    return instant(addUnits(time.time, unit, count.value, zone))
  }
  return timeCall('TIME_SHIFT', [time, text(periodOfUnit[unit] ?? ''), count], zone)
}

/** @throws ClickledgerError `sql-refused` */
export function bindFunction(part: SqlFunction, scope: Scope, place: Place): SqlExpr {
  const written = part.functionName.name.toUpperCase()
  if (part.namespace)
    throw refusal(`Functions have no schema: ${quoted(String(part.functionName))}.`)
  if (part.extendClause) throw refusal('EXTEND is not supported.')
  if (part.windowSpec) throw refusal('Window functions (OVER) are not supported.')
  if (part.specialParen === 'square') throw refusal('Arrays are not supported.')
  const { now, timeZone } = scope.binding.pinned
  if (part.specialParen === 'none') {
    if (written === 'CURRENT_TIMESTAMP' || written === 'LOCALTIMESTAMP') return instant(now)
    if (written === 'CURRENT_DATE') return instant(bucketStart(now, 'day', timeZone))
    throw unknownFunction(written)
  }
  const args = part.args?.values ?? []
  if (written === 'CAST') return bindCast(args, scope, place)
  if (written === 'COUNT' && args.length === 1 && args[0] instanceof SqlStar && !args[0].table) {
    return bindAggregate(part, 'COUNT', [], scope, place)
  }
  if (written === 'TRIM' || written === 'POSITION') return bindSpecial(part, written, scope, place)
  const { name, unit, rest } = splitUnit(otherNames[written] ?? written, args)
  if (sqlFunctions.get(name)?.aggregate) return bindAggregate(part, name, rest, scope, place)
  if (part.decorator || part.whereClause) {
    throw refusal(`${quoted(name)} takes no ${part.decorator ? quoted(part.decorator) : 'FILTER'}.`)
  }
  const bound = rest.map((arg) => bindExpression(arg, scope, place))
  return normal(checked(name, bound, unit), timeZone)
}

const unknownFunction = (name: string) =>
  refusal(`The function ${quoted(name)} is not supported; docs/BI.md lists those that are.`)

/** Puts the HOUR of `FLOOR(x TO HOUR)`, `EXTRACT(HOUR FROM x)` and `TIMESTAMPADD(HOUR, 1, x)` aside. */
function splitUnit(name: string, args: readonly SqlBase[]) {
  if (name === 'FLOOR' || name === 'CEIL') {
    const unit = wordOf(args[1])
    return unit === undefined
      ? { name, unit, rest: args }
      : { name: `${name}_TO`, unit, rest: args.slice(0, 1) }
  }
  if (!sqlFunctions.get(name)?.unit) return { name, unit: undefined, rest: args }
  // The names of core for FLOOR .. TO are not a user's to call.
  if (name.endsWith('_TO')) throw unknownFunction(name)
  return { name, unit: wordOf(args[0]) ?? '', rest: args.slice(1) }
}

function checked(name: string, args: readonly SqlExpr[], unit: string | undefined): SqlCall {
  const known = sqlFunctions.get(name)
  if (!known) throw unknownFunction(name)
  const [min, max] = known.args
  if (args.length < min || args.length > max) {
    throw refusal(`${name} takes ${min === max ? min : `${min} to ${max}`} arguments here.`)
  }
  if (unit !== undefined && !(name === 'EXTRACT' ? extractUnits : timeUnits).has(unit)) {
    throw refusal(
      `${name}: the unit ${quoted(unit) || 'is missing'} is not one of ${[...extractUnits].join(', ')}.`,
    )
  }
  const pattern = known.pattern === undefined ? undefined : args[known.pattern]
  if (pattern) {
    const isShort =
      pattern.kind === 'value' &&
      typeof pattern.value === 'string' &&
      pattern.value.length <= limits.sqlPatternCharsMax
    if (!isShort)
      throw refusal(
        `${name}: the pattern is a text of at most ${limits.sqlPatternCharsMax} characters.`,
      )
  }
  checkPeriod(name, known.period === undefined ? undefined : args[known.period])
  const settled = args.map((arg, i) => (i === known.zone ? checkedZone(name, arg) : arg))
  return { kind: 'call', name, args: settled, ...(unit === undefined ? {} : { unit }) }
}

const periodPattern =
  /^P(?!$)(\d{1,4}Y)?(\d{1,4}M)?(\d{1,4}W)?(\d{1,5}D)?(T(?=\d)(\d{1,6}H)?(\d{1,8}M)?(\d{1,9}S)?)?$/

function checkPeriod(name: string, period: SqlExpr | undefined): void {
  if (!period) return
  const text = period.kind === 'value' ? period.value : undefined
  if (typeof text !== 'string' || !periodPattern.test(text) || !/[1-9]/.test(text)) {
    throw refusal(`${name}: the period is a text such as 'PT1H' or 'P1D'.`)
  }
}

function checkedZone(name: string, zone: SqlExpr): SqlExpr {
  const text = zone.kind === 'value' ? zone.value : undefined
  if (text === null) return zone
  const known = typeof text === 'string' ? canonicalZone(text) : undefined
  if (known === undefined) {
    throw refusal(`${name}: the time zone is a text such as 'UTC' or 'America/New_York'.`)
  }
  return { kind: 'value', value: known }
}

function bindAggregate(
  part: SqlFunction,
  name: string,
  args: readonly SqlBase[],
  scope: Scope,
  place: Place,
): SqlExpr {
  if (!place.aggregates) throw refusal(`${name} stands where no aggregate can.`)
  const decorator = (part.decorator ?? 'ALL').toUpperCase()
  if (decorator !== 'ALL' && decorator !== 'DISTINCT')
    throw refusal(`${name} takes no ${decorator}.`)
  const inner = { ...place, aggregates: false }
  const bound = args.map((arg, i) =>
    bindExpression(arg, scope, { ...inner, sketches: i === 0 && sketchFunctions.has(name) }),
  )
  if (bound.slice(1).some(({ kind }) => name !== 'GROUPING' && kind !== 'value')) {
    throw refusal(`${name}: only the first argument can be an expression.`)
  }
  const filter = part.whereClause && bindExpression(part.whereClause.expression, scope, inner)
  return {
    ...checked(name, bound, undefined),
    ...(decorator === 'DISTINCT' ? { distinct: true } : {}),
    ...(filter ? { filter } : {}),
  }
}

/** TRIM(BOTH ' ' FROM x) and POSITION('a' IN x). */
function bindSpecial(part: SqlFunction, written: string, scope: Scope, place: Place): SqlExpr {
  if (part.whereClause) throw refusal(`${written} takes no FILTER.`)
  const bound = (part.args?.values ?? []).map((arg) => bindExpression(arg, scope, place))
  const [first, second] = bound
  if (written === 'POSITION') {
    if (!first || !second || bound.length > 2) throw refusal("Write POSITION('a' IN x).")
    return checked('STRPOS', [second, first], undefined)
  }
  if (!part.decorator) return checked(bound.length > 1 ? 'BTRIM' : 'TRIM', bound, undefined)
  const name = { BOTH: 'BTRIM', LEADING: 'LTRIM', TRAILING: 'RTRIM' }[part.decorator.toUpperCase()]
  if (!name || !first || !second) throw refusal("Write TRIM(BOTH ' ' FROM x).")
  return checked(name, [second, first], undefined)
}

function bindCast(args: readonly SqlBase[], scope: Scope, place: Place): SqlExpr {
  const [value, type] = args
  if (!value || !(type instanceof SqlType)) throw refusal('Write CAST(x AS type).')
  const name = type.value.toUpperCase()
  const to = castTypes.find((known) => known === (name === 'CHAR' ? 'VARCHAR' : name))
  if (!to) throw refusal(`CAST: the type ${quoted(name)} is not one of ${castTypes.join(', ')}.`)
  const arg = bindExpression(value, scope, place)
  const holds = kindOf(arg)
  const zone = scope.binding.pinned.timeZone
  const literal = arg.kind === 'value' && typeof arg.value === 'string' ? arg.value : undefined
  if (to === 'TIMESTAMP') {
    if (literal !== undefined) return readInstant(literal, zone)
    if (holds === 'time') return arg
  }
  if (to === 'DATE') {
    if (literal !== undefined) return readInstant(literal.slice(0, 10), zone)
    const time: SqlExpr = holds === 'time' ? arg : { kind: 'cast', arg, holds, to: 'TIMESTAMP' }
    return floored([time, text('P1D')], zone)
  }
  if (to === 'VARCHAR' && holds === 'time') {
    return {
      kind: 'call',
      name: 'TIME_FORMAT',
      args: [arg, text('yyyy-MM-dd HH:mm:ss'), text(zone)],
    }
  }
  return { kind: 'cast', arg, holds, to }
}

const wholePeriods: Record<string, 'minute' | 'hour' | 'day' | 'week' | 'month'> = {
  ...{ PT1M: 'minute', PT1H: 'hour', P1D: 'day', P1W: 'week', P1M: 'month' },
}

const periodOfUnit: Record<string, string> = {
  ...{ SECOND: 'PT1S', MINUTE: 'PT1M', HOUR: 'PT1H' },
  ...{ DAY: 'P1D', WEEK: 'P1W', MONTH: 'P1M', QUARTER: 'P3M', YEAR: 'P1Y' },
}

const text = (value: string | null): SqlExpr => ({ kind: 'value', value })

/** TIME_FLOOR and its like with period, origin and zone, whatever was left out. */
const timeCall = (name: string, args: readonly SqlExpr[], zone: string): SqlExpr => {
  const [time = text(null), period = text(null), third = text(null), own] = args
  const isSet = own && !(own.kind === 'value' && own.value === null)
  return { kind: 'call', name, args: [time, period, third, isSet ? own : text(zone)] }
}

/** A floor, computed where it can be. */
function floored(args: readonly SqlExpr[], sessionZone: string): SqlExpr {
  const call = timeCall('TIME_FLOOR', args, sessionZone)
  if (call.kind !== 'call') return call
  const [time, period, origin, zone] = call.args.map((a) => (a.kind === 'value' ? a.value : a))
  const granularity = typeof period === 'string' ? wholePeriods[period] : undefined
  const isInstant = typeof time === 'object' && time?.kind === 'instant'
  if (!isInstant || !granularity || origin !== null || typeof zone !== 'string') return call
  return instant(bucketStart(time.time, granularity, zone))
}

/**
 * A call as every store takes it: with its time zone, in one of few forms; or what it gives, where
 * that is known here.
 */
function normal(call: SqlCall, zone: string): SqlExpr {
  const { name, args, unit = '' } = call
  const [first = text(null), second = text(null), third = text(null)] = args
  const value = first.kind === 'value' ? first.value : undefined
  const period = text(periodOfUnit[unit] ?? '')
  switch (name) {
    case 'MILLIS_TO_TIMESTAMP':
      return typeof value === 'number' ? instant(value) : call
    case 'TIME_PARSE': {
      const own = third.kind === 'value' && typeof third.value === 'string' ? third.value : zone
      const isPlain = second.kind === 'value' && second.value === null
      if (typeof value === 'string' && isPlain) return readInstant(value, own)
      return { ...call, args: [first, second, text(own)] }
    }
    case 'TIMESTAMPADD':
      return added(second, unit, first, zone)
    case 'TIME_FLOOR':
      return floored(args, zone)
    case 'FLOOR_TO':
      return floored([first, period], zone)
    case 'CEIL_TO':
      return timeCall('TIME_CEIL', [first, period], zone)
    case 'TIME_CEIL':
    case 'TIME_SHIFT':
      return timeCall(name, args, zone)
    case 'DATE_TRUNC':
      return truncated(call, zone)
    case 'EXTRACT':
      return { kind: 'call', name: 'TIME_EXTRACT', args: [first, text(unit), text(zone)] }
    case 'TIME_EXTRACT':
      return { ...call, args: [first, checkedUnit(second), args[2] ?? text(zone)] }
    case 'TIME_IN_INTERVAL':
      return inInterval(first, second, zone)
    case 'TIME_FORMAT':
      return { ...call, args: [first, checkedFormat(second), args[2] ?? text(zone)] }
    default:
      return call
  }
}

function checkedFormat(format: SqlExpr): SqlExpr {
  if (format.kind !== 'value') throw refusal('TIME_FORMAT: the pattern is a text.')
  return format
}

function checkedUnit(unit: SqlExpr): SqlExpr {
  const word =
    unit.kind === 'value' && typeof unit.value === 'string' ? unit.value.toUpperCase() : ''
  if (extractUnits.has(word)) return text(word)
  throw refusal(`TIME_EXTRACT: the unit is one of ${[...extractUnits].join(', ')}.`)
}

/** TIME_IN_INTERVAL(x, 'a/b') */
function inInterval(time: SqlExpr, interval: SqlExpr, zone: string): SqlExpr {
  const both = interval.kind === 'value' ? String(interval.value).split('/') : []
  const [from, to] = both
  if (from === undefined || to === undefined || both.length > 2) {
    throw refusal("TIME_IN_INTERVAL: write '2026-11-01/2026-12-01'.")
  }
  const limits: SqlExpr[] = [
    { kind: 'op', op: '>=', args: [time, readInstant(from, zone)] },
    { kind: 'op', op: '<', args: [time, readInstant(to, zone)] },
  ]
  return { kind: 'op', op: 'AND', args: limits }
}

/** DATE_TRUNC('hour', x) */
function truncated({ args }: SqlCall, zone: string): SqlExpr {
  const [unit, time] = args
  const word =
    unit?.kind === 'value' && typeof unit.value === 'string' ? unit.value.toUpperCase() : ''
  const period = periodOfUnit[word]
  if (!period || !time) throw refusal(`DATE_TRUNC: '${quoted(word)}' is not supported.`)
  return floored([time, text(period)], zone)
}
