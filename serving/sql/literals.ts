// Values of a statement: literals and parameters, and what can be computed before it is asked.
import { SqlLiteral } from 'druid-query-toolkit'
import { instantOf, parseInstant, zoneOffsetMs } from '#core/buckets.ts'
import type { SqlExpr } from '#core/sql.ts'
import { quoted, refusal } from './refusal.ts'

const fixedMs: Record<string, number> = {
  SECOND: 1000,
  MINUTE: 60_000,
  HOUR: 3_600_000,
  DAY: 86_400_000,
  WEEK: 604_800_000,
}
const months: Record<string, number> = { MONTH: 1, QUARTER: 3, YEAR: 12 }

/** The instant that is `count` units after `time`, by the zone's calendar. */
export function addUnits(time: number, unit: string, count: number, zone: string): number {
  const ms = fixedMs[unit]
  const local = time + zoneOffsetMs(time, zone)
  if (ms !== undefined && ms < 86_400_000) return time + count * ms
  if (ms !== undefined) return instantOf(local + count * ms, zone)
  const date = new Date(local)
  const month = date.getUTCMonth() + count * (months[unit] ?? 0)
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), month + 1, 0)).getUTCDate()
  const day = Math.min(date.getUTCDate(), lastDay)
  const start = Date.UTC(date.getUTCFullYear(), month, day)
  return instantOf(start + (local % 86_400_000), zone)
}

/** An instant within what every store can hold. */
export function instant(time: number): SqlExpr {
  if (!(time > -60_000_000_000_000 && time < 100_000_000_000_000))
    throw refusal('A time is out of range.')
  return { kind: 'instant', time }
}

/** @throws ClickledgerError `sql-refused` */
export function readInstant(text: string, zone: string): SqlExpr {
  const time = parseInstant(text.trim(), zone)
  if (time === undefined) {
    throw refusal(`'${quoted(text)}' is no time; write it like 2026-11-22 05:00:00.`)
  }
  return instant(time)
}

/** A keyword where the grammar wants one, such as the HOUR of EXTRACT(HOUR FROM x). */
export const wordOf = (part: unknown): string | undefined =>
  part instanceof SqlLiteral &&
  typeof part.value === 'string' &&
  /^[a-z_]+$/i.test(part.stringValue ?? '')
    ? part.value.toUpperCase()
    : undefined

export function bindLiteral(literal: SqlLiteral, zone: string): SqlExpr {
  const { value, stringValue = '' } = literal
  if (value === null || typeof value === 'boolean') return { kind: 'value', value }
  if (value instanceof Date) return readInstant(stringValue.replaceAll("'", ''), zone)
  if (typeof value === 'bigint') {
    if (value < -(2n ** 63n) || value >= 2n ** 63n) throw refusal(`${value} is out of range.`)
    return { kind: 'value', value }
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refusal(`${quoted(stringValue)} is out of range.`)
    // 1 and 1.0 divide differently.
    const isWhole = /^[-+]?\d+$/.test(stringValue)
    if (!isWhole)
      return { kind: 'cast', arg: { kind: 'value', value }, holds: 'number', to: 'DOUBLE' }
    return { kind: 'value', value }
  }
  if (!/^(?:'|U&')/i.test(stringValue)) {
    throw refusal(`The literal ${quoted(stringValue)} is of a kind that is not supported.`)
  }
  if (value.includes('\0') || !value.isWellFormed()) throw refusal('A text is no Unicode.')
  return { kind: 'value', value }
}

interface Parameter {
  readonly type: string
  readonly value: string | number | boolean | null
}

/** A parameter of the request, by its Druid type. */
export function bindParameter({ type, value }: Parameter, zone: string): SqlExpr {
  const upper = type.toUpperCase()
  if (value === null) return { kind: 'value', value }
  if (upper === 'TIMESTAMP' || upper === 'DATE') {
    return typeof value === 'number' ? instant(value) : readInstant(String(value), zone)
  }
  if (['VARCHAR', 'CHAR'].includes(upper)) {
    const text = String(value)
    if (text.includes('\0') || !text.isWellFormed()) throw refusal('A text is no Unicode.')
    return { kind: 'value', value: text }
  }
  if (upper === 'BOOLEAN') return { kind: 'value', value: value === true || value === 'true' }
  const number = Number(value)
  if (!Number.isFinite(number))
    throw refusal(`parameters: '${quoted(String(value))}' is no ${quoted(type)}.`)
  if (['INTEGER', 'BIGINT', 'SMALLINT', 'TINYINT'].includes(upper)) {
    if (!Number.isSafeInteger(number)) throw refusal(`parameters: ${number} is no ${upper}.`)
    return { kind: 'value', value: number }
  }
  if (['DOUBLE', 'FLOAT', 'DECIMAL', 'REAL'].includes(upper)) {
    return { kind: 'cast', arg: { kind: 'value', value: number }, holds: 'number', to: 'DOUBLE' }
  }
  throw refusal(`parameters: the type ${quoted(type)} is not supported.`)
}
