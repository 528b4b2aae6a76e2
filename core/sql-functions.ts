// The functions that a statement may call, and no others: an allow-list. Each is harmless in every
// store (no files, no network, no other tables, no memory that a short argument makes large).
import type { SqlKind } from './sql.ts'

export interface SqlFunction {
  readonly args: readonly [min: number, max: number]
  /** `first`: what the first argument holds. */
  readonly gives: SqlKind | 'first'
  readonly aggregate?: true
  /** HOUR, DAY .. as a word of its own. */
  readonly unit?: true
  /** Argument (from 0) that must be a short literal: a pattern can take for ever. */
  readonly pattern?: number
  /** Arguments that must be a literal period (PT1H) and a literal IANA zone. */
  readonly period?: number
  readonly zone?: number
}

const of = (min: number, max: number, gives: SqlFunction['gives']): SqlFunction => ({
  args: [min, max],
  gives,
})
const aggregate = (min: number, max: number, gives: SqlFunction['gives']): SqlFunction => ({
  ...of(min, max, gives),
  aggregate: true,
})
const ofUnit = (min: number, gives: SqlFunction['gives']): SqlFunction => ({
  ...of(min, min, gives),
  unit: true,
})

const aggregates = {
  COUNT: aggregate(0, 1, 'number'),
  SUM: aggregate(1, 1, 'number'),
  AVG: aggregate(1, 1, 'number'),
  MIN: aggregate(1, 1, 'first'),
  MAX: aggregate(1, 1, 'first'),
  ANY_VALUE: aggregate(1, 1, 'first'),
  APPROX_COUNT_DISTINCT: aggregate(1, 1, 'number'),
  APPROX_COUNT_DISTINCT_DS_HLL: aggregate(1, 3, 'number'),
  GROUPING: aggregate(1, 20, 'number'),
} satisfies Record<string, SqlFunction>

const times = {
  TIME_FLOOR: { ...of(2, 4, 'time'), period: 1, zone: 3 },
  TIME_CEIL: { ...of(2, 4, 'time'), period: 1, zone: 3 },
  TIME_SHIFT: { ...of(3, 4, 'time'), period: 1, zone: 3 },
  TIME_EXTRACT: { ...of(2, 3, 'number'), zone: 2 },
  TIME_PARSE: { ...of(1, 3, 'time'), zone: 2 },
  TIME_FORMAT: { ...of(1, 3, 'text'), zone: 2 },
  TIME_IN_INTERVAL: of(2, 2, 'boolean'),
  DATE_TRUNC: of(2, 2, 'time'),
  MILLIS_TO_TIMESTAMP: of(1, 1, 'time'),
  TIMESTAMP_TO_MILLIS: of(1, 1, 'number'),
  EXTRACT: ofUnit(1, 'number'),
  FLOOR_TO: ofUnit(1, 'time'),
  CEIL_TO: ofUnit(1, 'time'),
  TIMESTAMPADD: ofUnit(2, 'time'),
  TIMESTAMPDIFF: ofUnit(2, 'number'),
} satisfies Record<string, SqlFunction>

const texts = {
  UPPER: of(1, 1, 'text'),
  LOWER: of(1, 1, 'text'),
  LENGTH: of(1, 1, 'number'),
  CHAR_LENGTH: of(1, 1, 'number'),
  CHARACTER_LENGTH: of(1, 1, 'number'),
  STRLEN: of(1, 1, 'number'),
  CONCAT: of(1, 20, 'text'),
  TEXTCAT: of(2, 2, 'text'),
  SUBSTRING: of(2, 3, 'text'),
  SUBSTR: of(2, 3, 'text'),
  LEFT: of(2, 2, 'text'),
  RIGHT: of(2, 2, 'text'),
  REPLACE: of(3, 3, 'text'),
  REVERSE: of(1, 1, 'text'),
  TRIM: of(1, 1, 'text'),
  BTRIM: of(1, 2, 'text'),
  LTRIM: of(1, 2, 'text'),
  RTRIM: of(1, 2, 'text'),
  STRPOS: of(2, 2, 'number'),
  CONTAINS_STRING: of(2, 2, 'boolean'),
  ICONTAINS_STRING: of(2, 2, 'boolean'),
  REGEXP_LIKE: { ...of(2, 2, 'boolean'), pattern: 1 },
  REGEXP_EXTRACT: { ...of(2, 3, 'text'), pattern: 1 },
} satisfies Record<string, SqlFunction>

const numbers = {
  ABS: of(1, 1, 'number'),
  FLOOR: of(1, 1, 'number'),
  CEIL: of(1, 1, 'number'),
  ROUND: of(1, 2, 'number'),
  TRUNCATE: of(1, 2, 'number'),
  MOD: of(2, 2, 'number'),
  SQRT: of(1, 1, 'number'),
  EXP: of(1, 1, 'number'),
  LN: of(1, 1, 'number'),
  LOG10: of(1, 1, 'number'),
  POWER: of(2, 2, 'number'),
  SAFE_DIVIDE: of(2, 2, 'number'),
  COALESCE: of(1, 20, 'first'),
  NVL: of(2, 2, 'first'),
  NULLIF: of(2, 2, 'first'),
  GREATEST: of(1, 20, 'first'),
  LEAST: of(1, 20, 'first'),
} satisfies Record<string, SqlFunction>

export const sqlFunctions: ReadonlyMap<string, SqlFunction> = new Map(
  Object.entries({ ...aggregates, ...times, ...texts, ...numbers }),
)

/** The only functions that read a sketch: what one holds is nobody's to see. */
export const sketchFunctions: ReadonlySet<string> = new Set([
  'APPROX_COUNT_DISTINCT_DS_HLL',
  'APPROX_COUNT_DISTINCT',
])

export const timeUnits: ReadonlySet<string> = new Set([
  'SECOND',
  'MINUTE',
  'HOUR',
  'DAY',
  'WEEK',
  'MONTH',
  'QUARTER',
  'YEAR',
])
/** Of EXTRACT besides. */
export const extractUnits: ReadonlySet<string> = new Set([...timeUnits, 'EPOCH', 'DOW', 'DOY'])
