// A statement as SQL text, for either store: clauses, names and quotes, the same in both. What differs
// is in the dialect. Every text is quoted here; nothing else of a user's reaches the text.
import type { SqlCall, SqlExpr, SqlQuery, SqlSelect, SqlSource, SqlView } from '#core/sql.ts'

export interface Dialect {
  text(value: string): string
  instant(time: number): string
  /** @param filter - `` or ` FILTER (WHERE ..)` of an aggregate */
  call(call: SqlCall, args: readonly string[], filter: string): string
  cast(cast: SqlExpr & { readonly kind: 'cast' }, arg: string): string
  op(op: string, args: readonly string[]): string
  /** A sub-query without its brackets. */
  view(view: SqlView): string
  /** What follows an expression of ORDER BY. */
  order(descending: boolean): string
}

export const name = (text: string): string => `"${text.replaceAll('"', '""')}"`
export const textSql = (text: string): string => `'${text.replaceAll("'", "''")}'`

export function createPrinter(dialect: Dialect) {
  const valueSql = (value: string | number | bigint | boolean | null): string => {
    if (value === null) return 'NULL'
    if (typeof value === 'string') return dialect.text(value)
    if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE'
    return value < 0 ? `(${value})` : String(value)
  }

  const exprSql = (expr: SqlExpr): string => {
    switch (expr.kind) {
      case 'value':
        return valueSql(expr.value)
      case 'instant':
        return dialect.instant(expr.time)
      case 'column':
        return `${name(expr.source)}.${name(expr.name)}`
      case 'position':
        return String(expr.position)
      case 'call':
        return callSql(expr)
      case 'op':
        return `(${dialect.op(expr.op, expr.args.map(exprSql))})`
      case 'not':
        return `(NOT ${exprSql(expr.arg)})`
      case 'minus':
        return `(- ${exprSql(expr.arg)})`
      case 'is':
        return `(${exprSql(expr.arg)} IS ${expr.negated ? 'NOT ' : ''}${expr.what})`
      case 'in': {
        const inside =
          'legs' in expr.values ? querySql(expr.values) : expr.values.map(exprSql).join(', ')
        return `(${exprSql(expr.arg)} ${expr.negated ? 'NOT ' : ''}IN (${inside}))`
      }
      case 'like': {
        const mark = expr.escape === undefined ? '' : ` ESCAPE ${dialect.text(expr.escape)}`
        return `(${exprSql(expr.arg)} ${expr.negated ? 'NOT ' : ''}LIKE ${exprSql(expr.pattern)}${mark})`
      }
      case 'case': {
        const whens = expr.whens.map(
          ([when, then]) => `WHEN ${exprSql(when)} THEN ${exprSql(then)}`,
        )
        const otherwise = expr.otherwise ? ` ELSE ${exprSql(expr.otherwise)}` : ''
        return `CASE ${whens.join(' ')}${otherwise} END`
      }
      case 'cast':
        return dialect.cast(expr, exprSql(expr.arg))
      case 'query':
        return `(${querySql(expr.query)})`
    }
  }

  const callSql = (call: SqlCall): string => {
    const filter = call.filter ? ` FILTER (WHERE ${exprSql(call.filter)})` : ''
    return dialect.call(call, call.args.map(exprSql), filter)
  }

  const sourceSql = (source: SqlSource): string => {
    const alias = name(source.alias)
    if (source.kind === 'cte') return `${name(source.name)} AS ${alias}`
    if (source.kind === 'view') return `(${dialect.view(source.view)}) AS ${alias}`
    if (source.kind === 'query') return `(${querySql(source.query)}) AS ${alias}`
    const rows = source.rows.map((row) => `(${row.map(valueSql).join(', ')})`)
    return `(VALUES ${rows.join(', ')}) AS ${alias}(${source.columns.map(name).join(', ')})`
  }

  const groupSql = ({ by, sets }: NonNullable<SqlSelect['group']>): string => {
    const lists = sets.map((set) => set.map(exprSql).join(', '))
    if (by === 'plain') return `GROUP BY ${lists[0] || '()'}`
    if (by !== 'GROUPING SETS') return `GROUP BY ${by} (${lists[0]})`
    return `GROUP BY GROUPING SETS (${lists.map((list) => `(${list})`).join(', ')})`
  }

  const selectSql = (select: SqlSelect): string => {
    const items = select.items.map(({ expr, name: as }) => `${exprSql(expr)} AS ${name(as)}`)
    const joins = select.joins.map(
      ({ type, source, on }) =>
        `${type} JOIN ${sourceSql(source)}${on ? ` ON ${exprSql(on)}` : ''}`,
    )
    return [
      `SELECT ${select.distinct ? 'DISTINCT ' : ''}${items.join(', ')}`,
      ...(select.from ? [`FROM ${[sourceSql(select.from), ...joins].join(' ')}`] : []),
      ...(select.where ? [`WHERE ${exprSql(select.where)}`] : []),
      ...(select.group ? [groupSql(select.group)] : []),
      ...(select.having ? [`HAVING ${exprSql(select.having)}`] : []),
    ].join('\n')
  }

  const querySql = (query: SqlQuery): string => {
    const ctes = query.ctes.map((cte) => `${name(cte.name)} AS (${querySql(cte.query)})`)
    const order = query.order.map(
      ({ expr, descending }) => `${exprSql(expr)}${dialect.order(descending)}`,
    )
    return [
      ...(ctes.length > 0 ? [`WITH ${ctes.join(', ')}`] : []),
      query.legs.map(selectSql).join('\nUNION ALL\n'),
      ...(order.length > 0 ? [`ORDER BY ${order.join(', ')}`] : []),
      ...(query.limit === undefined ? [] : [`LIMIT ${query.limit}`]),
      ...(query.offset === undefined ? [] : [`OFFSET ${query.offset}`]),
    ].join('\n')
  }
  return { querySql }
}

/** The query, cut after so many rows. */
export function limited(query: SqlQuery, rowsMax: number): SqlQuery {
  return { ...query, limit: Math.min(query.limit ?? rowsMax, rowsMax) }
}
