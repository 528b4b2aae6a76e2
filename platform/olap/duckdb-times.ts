// Druid's functions of time in DuckDB's SQL. Instants are TIMESTAMPs of UTC; days and longer are cut by
// the calendar of a zone, hours and shorter by its offset, so that both hours of an autumn night stay.
import { instantOf } from '#core/buckets.ts'
import type { SqlExpr } from '#core/sql.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { textSql } from './sql-print.ts'

const lacks = (what: string) =>
  new ClickledgerError(
    'sql-refused',
    `The embedded OLAP store (DuckDB) lacks ${what}; Druid has it.`,
  )

const periodPattern =
  /^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/

/** Months, days and milliseconds of a period. */
function periodOf(text: string) {
  const [years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = (
    periodPattern.exec(text) ?? []
  )
    .slice(1)
    .map((n) => Number(n ?? 0))
  return {
    months: years * 12 + months,
    days: weeks * 7 + days,
    ms: ((hours * 60 + minutes) * 60 + seconds) * 1000,
  }
}

const toLocal = (sql: string, zone: string) =>
  zone === 'UTC' ? sql : `timezone(${textSql(zone)}, timezone('UTC', ${sql}))`
const fromLocal = (sql: string, zone: string) =>
  zone === 'UTC' ? sql : `timezone('UTC', timezone(${textSql(zone)}, ${sql}))`

const timestamp = (time: number) =>
  `TIMESTAMP '${new Date(time).toISOString().slice(0, 23).replace('T', ' ')}'`

const wholeUnits: Record<string, string> = {
  ...{ P1D: 'day', P1W: 'week', P7D: 'week', P1M: 'month', P3M: 'quarter', P1Y: 'year' },
}
const singleMs: Record<string, number> = { PT1S: 1_000, PT1M: 60_000, PT1H: 3_600_000 }

/** An argument that the gateway has made sure of. */
const textOf = (arg: SqlExpr | undefined): string | undefined =>
  arg?.kind === 'value' && typeof arg.value === 'string' ? arg.value : undefined

const isNull = (arg: SqlExpr | undefined) =>
  arg === undefined || (arg.kind === 'value' && arg.value === null)

function floor(args: readonly SqlExpr[], [time = '', , origin = '']: readonly string[]): string {
  const [period = '', zone = 'UTC'] = [textOf(args[1]), textOf(args[3])]
  const { months, days, ms } = periodOf(period)
  const hasOrigin = !isNull(args[2])
  const unit = wholeUnits[period]
  if (unit && !hasOrigin && period !== 'P7D') {
    return fromLocal(`date_trunc('${unit}', ${toLocal(time, zone)})`, zone)
  }
  const step = singleMs[period]
  if (step && !hasOrigin) {
    return `(${time} - to_milliseconds(epoch_ms(${toLocal(time, zone)}) % ${step}))`
  }
  if ([months, days, ms].filter((n) => n > 0).length !== 1) throw lacks(`the period ${period}`)
  if (ms > 0) {
    const from = hasOrigin ? origin : timestamp(instantOf(0, zone))
    return `time_bucket(INTERVAL '${ms} milliseconds', ${time}, ${from})`
  }
  const from = hasOrigin ? toLocal(origin, zone) : timestamp(0)
  const width = months > 0 ? `${months} months` : `${days} days`
  return fromLocal(`time_bucket(INTERVAL '${width}', ${toLocal(time, zone)}, ${from})`, zone)
}

function shift(time: string, period: string, count: string, zone: string): string {
  const { months, days, ms } = periodOf(period)
  const by = (amount: number, unit: string) =>
    `INTERVAL '${amount} ${unit}' * CAST(${count} AS INTEGER)`
  const calendar = [
    ...(months > 0 ? [by(months, 'months')] : []),
    ...(days > 0 ? [by(days, 'days')] : []),
  ]
  const moved =
    calendar.length > 0
      ? fromLocal(`(${[toLocal(time, zone), ...calendar].join(' + ')})`, zone)
      : time
  return ms > 0 ? `(${moved} + ${by(ms, 'milliseconds')})` : moved
}

function ceil(args: readonly SqlExpr[], sql: readonly string[]): string {
  const [time = '', period = '', zone = 'UTC'] = [sql[0], textOf(args[1]), textOf(args[3])]
  const start = floor(args, sql)
  return `CASE WHEN ${start} = ${time} THEN ${time} ELSE ${shift(start, period, '1', zone)} END`
}

const parts: Record<string, string> = {
  ...{ SECOND: 'second', MINUTE: 'minute', HOUR: 'hour', DAY: 'day', WEEK: 'week', MONTH: 'month' },
  ...{ QUARTER: 'quarter', YEAR: 'year', DOW: 'isodow', DOY: 'dayofyear' },
}

function extract(args: readonly SqlExpr[], [time = '']: readonly string[]): string {
  const [unit = '', zone = 'UTC'] = [textOf(args[1]), textOf(args[2])]
  if (unit === 'EPOCH') return `(epoch_ms(${time}) // 1000)`
  return `CAST(date_part('${parts[unit]}', ${toLocal(time, zone)}) AS BIGINT)`
}

/** Joda's pattern letters in strftime's. */
const letters: Record<string, string> = {
  ...{ yyyy: '%Y', YYYY: '%Y', yy: '%y', MM: '%m', MMM: '%b', MMMM: '%B', dd: '%d', d: '%-d' },
  ...{
    HH: '%H',
    H: '%-H',
    hh: '%I',
    mm: '%M',
    ss: '%S',
    SSS: '%g',
    a: '%p',
    EEE: '%a',
    EEEE: '%A',
  },
}

function format(args: readonly SqlExpr[], [time = '']: readonly string[]): string {
  const [pattern, zone = 'UTC'] = [textOf(args[1]), textOf(args[2])]
  if (pattern === undefined) {
    if (zone !== 'UTC') throw lacks('TIME_FORMAT without a pattern in a zone other than UTC')
    return `strftime(${time}, '%Y-%m-%dT%H:%M:%S.%g+00:00')`
  }
  const pieces = pattern.match(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+/g) ?? []
  const made = pieces.map((piece) => {
    if (!/^[A-Za-z]/.test(piece)) {
      const literal = piece.startsWith("'")
        ? piece.slice(1, -1).replaceAll("''", "'") || "'"
        : piece
      return literal.replaceAll('%', '%%')
    }
    const letter = letters[piece]
    if (letter === undefined) throw lacks(`${piece} in the pattern of TIME_FORMAT`)
    return letter
  })
  return `strftime(${toLocal(time, zone)}, ${textSql(made.join(''))})`
}

function parse(args: readonly SqlExpr[], [text = '']: readonly string[]): string {
  if (!isNull(args[1])) throw lacks('TIME_PARSE with a pattern')
  return fromLocal(`TRY_CAST(${text} AS TIMESTAMP)`, textOf(args[2]) ?? 'UTC')
}

export type TimeFunction = (args: readonly SqlExpr[], sql: readonly string[]) => string

export const timeFunctions: ReadonlyMap<string, TimeFunction> = new Map<string, TimeFunction>([
  ['TIME_FLOOR', floor],
  ['TIME_CEIL', ceil],
  [
    'TIME_SHIFT',
    (args, [time = '', , count = '']) =>
      shift(time, textOf(args[1]) ?? '', count, textOf(args[3]) ?? 'UTC'),
  ],
  ['TIME_EXTRACT', extract],
  ['TIME_FORMAT', format],
  ['TIME_PARSE', parse],
  ['MILLIS_TO_TIMESTAMP', (_, [ms]) => `make_timestamp(CAST(${ms} AS BIGINT) * 1000)`],
  ['TIMESTAMP_TO_MILLIS', (_, [time]) => `epoch_ms(${time})`],
])
