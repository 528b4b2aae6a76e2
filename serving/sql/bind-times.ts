// Functions of time in the few forms that every store takes: with their time zone, their period and their
// origin, whatever was left out. What is known beforehand becomes an instant.
import type { SqlInterval } from 'druid-query-toolkit'
import { bucketStart, canonicalZone } from '#core/buckets.ts'
import type { SqlCall, SqlExpr } from '#core/sql.ts'
import { extractUnits, timeUnits } from '#core/sql-functions.ts'
import { addUnits, instant, readInstant } from './literals.ts'
import { quoted, refusal } from './refusal.ts'

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

const periodPattern =
  /^P(?!$)(\d{1,4}Y)?(\d{1,4}M)?(\d{1,4}W)?(\d{1,5}D)?(T(?=\d)(\d{1,6}H)?(\d{1,8}M)?(\d{1,9}S)?)?$/

export function checkPeriod(name: string, period: SqlExpr | undefined): void {
  if (!period) return
  const text = period.kind === 'value' ? period.value : undefined
  if (typeof text !== 'string' || !periodPattern.test(text) || !/[1-9]/.test(text)) {
    throw refusal(`${name}: the period is a text such as 'PT1H' or 'P1D'.`)
  }
}

export function checkedZone(name: string, zone: SqlExpr): SqlExpr {
  const text = zone.kind === 'value' ? zone.value : undefined
  if (text === null) return zone
  const known = typeof text === 'string' ? canonicalZone(text) : undefined
  if (known === undefined) {
    throw refusal(`${name}: the time zone is a text such as 'UTC' or 'America/New_York'.`)
  }
  return { kind: 'value', value: known }
}

const wholePeriods: Record<string, 'minute' | 'hour' | 'day' | 'week' | 'month'> = {
  ...{ PT1M: 'minute', PT1H: 'hour', P1D: 'day', P1W: 'week', P1M: 'month' },
}

const periodOfUnit: Record<string, string> = {
  ...{ SECOND: 'PT1S', MINUTE: 'PT1M', HOUR: 'PT1H' },
  ...{ DAY: 'P1D', WEEK: 'P1W', MONTH: 'P1M', QUARTER: 'P3M', YEAR: 'P1Y' },
}

export const text = (value: string | null): SqlExpr => ({ kind: 'value', value })

/** TIME_FLOOR and its like with period, origin and zone, whatever was left out. */
const timeCall = (name: string, args: readonly SqlExpr[], zone: string): SqlExpr => {
  const [time = text(null), period = text(null), third = text(null), own] = args
  const isSet = own && !(own.kind === 'value' && own.value === null)
  return { kind: 'call', name, args: [time, period, third, isSet ? own : text(zone)] }
}

/** A floor, computed where it can be. */
export function floored(args: readonly SqlExpr[], sessionZone: string): SqlExpr {
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
export function normal(call: SqlCall, zone: string): SqlExpr {
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
