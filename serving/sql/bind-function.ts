// Calls -> values of core/sql.ts, by the allow-list of core/sql-functions.ts. Times that are known
// beforehand become instants here: CURRENT_TIMESTAMP is one moment in all of a statement.
import { type SqlBase, type SqlFunction, SqlStar, SqlType } from 'druid-query-toolkit'
import { bucketStart } from '#core/buckets.ts'
import { castTypes, type SqlCall, type SqlExpr } from '#core/sql.ts'
import { extractUnits, sketchFunctions, sqlFunctions, timeUnits } from '#core/sql-functions.ts'
import { limits } from '#schemas/limits.ts'
import { bindExpression, kindOf, type Place } from './bind-expression.ts'
import { checkedZone, checkPeriod, floored, normal, text } from './bind-times.ts'
import { instant, readInstant, wordOf } from './literals.ts'
import { quoted, refusal } from './refusal.ts'
import type { Scope } from './scope.ts'

const otherNames: Record<string, string> = {
  CEILING: 'CEIL',
  POW: 'POWER',
  TRUNC: 'TRUNCATE',
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
