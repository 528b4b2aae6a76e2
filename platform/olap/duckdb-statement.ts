// A statement as DuckDB SQL, with the meaning that Druid gives it. Runs on a connection of its own with
// integer_division on: 7 / 2 is 3 in Druid. A function without a line here is refused by name.
import type { Filter } from '#core/report-query.ts'
import type { SqlCall, SqlExpr, SqlStatement, SqlView } from '#core/sql.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { metrics } from '#schemas/metrics.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { grainTables, speedTable } from './duckdb-query.ts'
import { timeFunctions } from './duckdb-times.ts'
import { createPrinter, type Dialect, limited, name, textSql } from './sql-print.ts'

/** Settings of a connection that runs statements. */
export const statementSettings = ['SET SESSION integer_division = true']

const rowMs = { clicks: undefined, clicks_hour: hourMs, clicks_day: dayMs } as const

function filterSql({ dimension, kind, values }: Filter): string {
  // The tenant's predicate is a list; whatever else comes shows nothing.
  if (kind !== 'in' || values.length === 0) return 'false'
  return `${name(dimension)} IN (${values.map(textSql).join(', ')})`
}

function viewSql({ table, split, filters }: SqlView): string {
  const step = rowMs[table]
  const columns = [
    `make_timestamp((${step ? `minute - minute % ${step}` : 'minute'}) * 1000) AS "__time"`,
    ...dimensionNames.map(name),
    ...metrics.map((m) => (m.kind === 'sum' ? name(m.name) : `${m.members} AS ${name(m.name)}`)),
  ].join(', ')
  const pieces = [
    ...split.batch.map((part) => ({ from: grainTables[part.grain], ...part })),
    ...(split.speed ? [{ from: speedTable, ...split.speed }] : []),
  ]
  const where = filters.map((filter) => ` AND ${filterSql(filter)}`).join('')
  const legs = [...Map.groupBy(pieces, ({ from }) => from)].map(([from, ranges]) => {
    const within = ranges.map(({ start, end }) => `minute >= ${start} AND minute < ${end}`)
    return `SELECT ${columns} FROM ${from} WHERE (${within.join(' OR ')})${where}`
  })
  return legs.join(' UNION ALL ') || `SELECT ${columns} FROM ${speedTable} WHERE false`
}

const isSketch = (arg: SqlExpr | undefined) => arg?.kind === 'column' && arg.holds === 'sketch'

function countDistinct({ args: [first] }: SqlCall, [sql]: readonly string[], filter: string) {
  if (!isSketch(first)) return `count(DISTINCT ${sql})${filter}`
  return `coalesce(len(list_distinct(flatten(list(${sql})${filter}))), 0)`
}

const lower = (sql: string | undefined) => `lower(${sql})`

type Scalar = (args: readonly string[]) => string
const same =
  (fn: string): Scalar =>
  (args) =>
    `${fn}(${args.join(', ')})`

const scalars: Record<string, Scalar> = {
  ...{ UPPER: same('upper'), LOWER: same('lower'), REPLACE: same('replace') },
  ...{ LENGTH: same('length'), CHAR_LENGTH: same('length'), CHARACTER_LENGTH: same('length') },
  ...{ STRLEN: same('length'), REVERSE: same('reverse'), LEFT: same('"left"') },
  ...{ RIGHT: same('"right"'), SUBSTRING: same('substring'), SUBSTR: same('substring') },
  ...{ TRIM: same('trim'), BTRIM: same('trim'), LTRIM: same('ltrim'), RTRIM: same('rtrim') },
  ...{ STRPOS: same('strpos'), CONTAINS_STRING: same('contains') },
  CONCAT: (args) => `(${args.join(' || ')})`,
  TEXTCAT: (args) => `(${args.join(' || ')})`,
  ICONTAINS_STRING: ([text, part]) => `contains(${lower(text)}, ${lower(part)})`,
  REGEXP_LIKE: same('regexp_matches'),
  REGEXP_EXTRACT: (args) => `nullif(regexp_extract(${args.join(', ')}), '')`,
  ...{ ABS: same('abs'), FLOOR: same('floor'), CEIL: same('ceil'), ROUND: same('round') },
  ...{ SQRT: same('sqrt'), EXP: same('exp'), LN: same('ln'), LOG10: same('log10') },
  ...{ POWER: same('pow'), COALESCE: same('coalesce'), NVL: same('coalesce') },
  ...{ NULLIF: same('nullif'), GREATEST: same('greatest'), LEAST: same('least') },
  TRUNCATE: ([x, digits]) =>
    digits === undefined
      ? `trunc(${x})`
      : `(trunc(${x} * pow(10.0, ${digits})) / pow(10.0, ${digits}))`,
  MOD: ([a, b]) => `(${a} % ${b})`,
  SAFE_DIVIDE: ([a, b]) => `(${a} / nullif(${b}, 0))`,
}

const aggregates: ReadonlySet<string> = new Set(['SUM', 'AVG', 'MIN', 'MAX', 'ANY_VALUE', 'COUNT'])

function callSql(call: SqlCall, args: readonly string[], filter: string): string {
  const { name: fn, distinct } = call
  if (fn === 'COUNT' && args.length === 0) return `count(*)${filter}`
  if (fn.startsWith('APPROX_COUNT_DISTINCT')) return countDistinct(call, args, filter)
  if (aggregates.has(fn)) {
    return `${fn.toLowerCase()}(${distinct ? 'DISTINCT ' : ''}${args.join(', ')})${filter}`
  }
  if (fn === 'GROUPING') return `GROUPING(${args.join(', ')})`
  if (fn === 'TIMESTAMPDIFF') return `date_sub('${call.unit}', ${args.join(', ')})`
  const time = timeFunctions.get(fn)
  if (time) return time(call.args, args)
  const scalar = Object.hasOwn(scalars, fn) ? scalars[fn] : undefined
  if (scalar) return scalar(args)
  throw new ClickledgerError(
    'sql-refused',
    `The embedded OLAP store (DuckDB) lacks ${fn}; Druid has it.`,
  )
}

function castSql({ to, holds }: SqlExpr & { kind: 'cast' }, arg: string): string {
  if (to === 'VARCHAR') return `CAST(${arg} AS VARCHAR)`
  if (to === 'BIGINT' || to === 'INTEGER') {
    if (holds === 'time') return `epoch_ms(${arg})`
    // Druid cuts, DuckDB rounds.
    return holds === 'number' ? `CAST(trunc(${arg}) AS BIGINT)` : `TRY_CAST(${arg} AS BIGINT)`
  }
  if (to === 'TIMESTAMP' && holds === 'number')
    return `make_timestamp(CAST(${arg} AS BIGINT) * 1000)`
  if (to === 'FLOAT') return `TRY_CAST(${arg} AS DOUBLE)`
  return `TRY_CAST(${arg} AS ${to})`
}

const dialect: Dialect = {
  text: textSql,
  instant: (time) => `TIMESTAMP '${new Date(time).toISOString().slice(0, 23).replace('T', ' ')}'`,
  call: callSql,
  cast: castSql,
  op: (op, args) => args.join(` ${op} `),
  view: viewSql,
  order: (descending) => (descending ? ' DESC NULLS LAST' : ' ASC NULLS FIRST'),
}

/** Compiles a statement. @throws ClickledgerError `sql-refused` where DuckDB lacks a function */
export const compileDuckDbStatement = ({ query, rowsMax }: SqlStatement): string =>
  createPrinter(dialect).querySql(limited(query, rowsMax))
