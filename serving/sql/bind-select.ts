// One SELECT: its columns, groups and order. When all of it is known, so is what its tables have to
// show (time-use.ts).
import {
  type SqlQuery as QueryTree,
  SqlAlias,
  type SqlBase,
  SqlColumn,
  SqlLiteral,
  SqlRecord,
  SqlStar,
} from 'druid-query-toolkit'
import type { SqlExpr, SqlJoin, SqlKind, SqlSelect, SqlSource, SqlView } from '#core/sql.ts'
import { type BindSubQuery, bindExpression, kindOf } from './bind-expression.ts'
import { quoted, refusal } from './refusal.ts'
import type { Relation, Scope } from './scope.ts'
import { conjunctsOf, planView } from './time-use.ts'

const nameCharsMax = 200
const columnsMax = 500

export interface BoundSelect {
  readonly select: SqlSelect
  readonly kinds: readonly SqlKind[]
  /** Binds an expression of ORDER BY. */
  orderBy(part: SqlBase): SqlExpr
  /** Number (from 1) of the column that an expression of ORDER BY names. */
  positionOf(part: SqlBase): number | undefined
}

export interface SelectParts {
  readonly first: SqlSource | undefined
  readonly joins: readonly SqlJoin[]
  readonly isTop: boolean
  readonly subQuery: BindSubQuery
}

type Item = SqlSelect['items'][number]

/** @throws ClickledgerError `sql-refused`, `not-kept` */
export function bindSelect(tree: QueryTree, scope: Scope, parts: SelectParts): BoundSelect {
  const { subQuery } = parts
  const place = { aggregates: true, subQuery }
  const items = bindItems(tree, scope, parts)
  const where =
    tree.whereClause &&
    bindExpression(tree.whereClause.expression, scope, { aggregates: false, subQuery })
  const group = bindGroup(tree, scope, items, subQuery)
  const having = tree.havingClause && bindExpression(tree.havingClause.expression, scope, place)
  const positionOf = (part: SqlBase) => positionIn(items, part)
  const orderBy = (part: SqlBase): SqlExpr => {
    const position = positionOf(part)
    if (position !== undefined) return { kind: 'position', position }
    return sameAs(items, bindExpression(part, scope, place))
  }
  // Bound here for what they ask of the tables; bound again by the query for their place in it.
  const ordered = tree.unionQuery ? [] : (tree.orderByClause?.expressions.values ?? [])
  const order = ordered.map(({ expression }) => orderBy(expression))
  const select: SqlSelect = {
    distinct: tree.decorator === 'DISTINCT',
    items,
    ...(parts.first ? { from: parts.first } : {}),
    joins: parts.joins,
    ...(where ? { where } : {}),
    ...(group ? { group } : {}),
    ...(having ? { having } : {}),
  }
  return {
    select: withViews(select, order, scope),
    kinds: items.map(({ expr }) => kindOf(expr)),
    orderBy,
    positionOf,
  }
}

function bindItems(
  tree: QueryTree,
  scope: Scope,
  { isTop, subQuery }: SelectParts,
): readonly Item[] {
  const place = { aggregates: true, sketches: !isTop, subQuery }
  const taken = new Set<string>()
  const items = tree.getSelectExpressionsArray().flatMap((part, i): Item[] => {
    if (part instanceof SqlStar) return starItems(part, scope.relations, isTop)
    const [expression, alias] =
      part instanceof SqlAlias ? [part.expression, part.alias.name] : [part, undefined]
    if (part instanceof SqlAlias && part.columns) throw refusal('A column has one name.')
    const expr = bindExpression(expression, scope, place)
    const name = alias ?? (expression instanceof SqlColumn ? expression.refName.name : `EXPR$${i}`)
    if (name === '' || name.length > nameCharsMax || name.includes('\0') || !name.isWellFormed()) {
      throw refusal(`'${quoted(name)}' cannot name a column.`)
    }
    return [{ expr, name }]
  })
  if (items.length === 0) throw refusal('No column is left: * leaves out sketches.')
  if (items.length > columnsMax) throw refusal(`More than ${columnsMax} columns.`)
  return items.map(({ expr, name }) => ({ expr, name: free(name, taken) }))
}

/** Two columns of one name: the second gets a number, as in Druid. */
function free(name: string, taken: Set<string>): string {
  let result = name
  for (let i = 0; taken.has(result); i++) result = `${name}${i}`
  taken.add(result)
  return result
}

function starItems({ table }: SqlStar, relations: readonly Relation[], isTop: boolean): Item[] {
  const wanted = table?.refName.name
  const named = relations.filter(({ name }) => wanted === undefined || name === wanted)
  if (named.length === 0) throw refusal(`There is no table ${quoted(wanted ?? '')} to take * of.`)
  return named.flatMap(({ alias, columns }) =>
    [...columns]
      // What a sketch holds is nobody's to see; sub-queries hand it on to who counts it.
      .filter(([, holds]) => !(isTop && holds === 'sketch'))
      .map(([name, holds]) => ({ name, expr: { kind: 'column', source: alias, name, holds } })),
  )
}

function positionIn(items: readonly Item[], part: SqlBase): number | undefined {
  if (part instanceof SqlLiteral && typeof part.value === 'number') {
    if (Number.isInteger(part.value) && part.value >= 1 && part.value <= items.length)
      return part.value
    throw refusal(`There is no column number ${part.value}.`)
  }
  if (!(part instanceof SqlColumn) || part.table) return undefined
  const at = items.findIndex(({ name }) => name === part.refName.name)
  return at < 0 ? undefined : at + 1
}

const textOf = (expr: SqlExpr) =>
  JSON.stringify(expr, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))

/** The column of the answer that an expression repeats. */
function sameAs(items: readonly Item[], expr: SqlExpr): SqlExpr {
  const text = textOf(expr)
  const at = items.findIndex((item) => textOf(item.expr) === text)
  return at < 0 ? expr : { kind: 'position', position: at + 1 }
}

function bindGroup(
  tree: QueryTree,
  scope: Scope,
  items: readonly Item[],
  subQuery: BindSubQuery,
): SqlSelect['group'] {
  const clause = tree.groupByClause
  if (!clause) return undefined
  const by = clause.decorator ?? 'plain'
  const bind = (part: SqlBase): SqlExpr => {
    const isNumber = part instanceof SqlLiteral && typeof part.value === 'number'
    const position = isNumber ? positionIn(items, part) : undefined
    const item = position === undefined ? undefined : items[position - 1]
    const expr = item?.expr ?? bindExpression(part, scope, { aggregates: false, subQuery })
    return by === 'plain' ? sameAs(items, expr) : expr
  }
  const parts = clause.expressions?.values ?? []
  if (by !== 'GROUPING SETS') return { by, sets: [parts.map(bind)] }
  const sets = parts.map((part) =>
    part instanceof SqlRecord ? (part.expressions?.values ?? []).map(bind) : [bind(part)],
  )
  return { by, sets }
}

/** Says for each table of the SELECT which rows of it are asked. */
function withViews(select: SqlSelect, order: readonly SqlExpr[], scope: Scope): SqlSelect {
  const exprs = [
    ...select.items.map(({ expr }) => expr),
    ...select.joins.flatMap(({ on }) => (on ? [on] : [])),
    ...conjunctsOf(select.where),
    ...(select.group?.sets.flat() ?? []),
    ...(select.having ? [select.having] : []),
    ...order,
  ]
  const { binding } = scope
  const planned = (source: SqlSource): SqlSource => {
    if (source.kind !== 'view') return source
    const { table } = source.view
    const split = planView({ table, alias: source.alias, select, exprs }, binding.pinned)
    const view: SqlView = { ...source.view, split }
    binding.views.push(view)
    return { ...source, view }
  }
  return {
    ...select,
    ...(select.from ? { from: planned(select.from) } : {}),
    joins: select.joins.map((join) => ({ ...join, source: planned(join.source) })),
  }
}
