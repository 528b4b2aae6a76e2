// Queries of the syntax tree -> values of core/sql.ts: WITH, FROM, joins, UNION ALL. Names are looked
// up as SQL scopes them: a WITH hides a table of the same name, a sub-query sees its own FROM only.
import {
  SqlQuery as QueryTree,
  type RefName,
  SqlAlias,
  type SqlBase,
  type SqlColumnList,
  type SqlLiteral,
  SqlTable,
  SqlWithQuery,
} from 'druid-query-toolkit'
import type { SqlJoin, SqlQuery, SqlSelect, SqlSource } from '#core/sql.ts'
import { type BindSubQuery, bindExpression } from './bind-expression.ts'
import { type BoundSelect, bindSelect } from './bind-select.ts'
import { informationTable } from './information-schema.ts'
import { quoted, refusal } from './refusal.ts'
import { type Binding, type Columns, type Cte, deeper, type Relation, type Scope } from './scope.ts'
import { tableColumns, tableNames } from './tables.ts'

interface BoundQuery {
  readonly query: SqlQuery
  readonly columns: Columns
}

/** Binds a whole statement. @throws ClickledgerError `sql-refused`, `not-kept` */
export function bindStatement(tree: SqlBase, binding: Binding): SqlQuery {
  if (!(tree instanceof QueryTree || tree instanceof SqlWithQuery)) {
    throw refusal('Only SELECT is answered.')
  }
  const scope: Scope = { binding, relations: [], ctes: new Map(), depth: 0 }
  return bindQuery(tree, scope, true).query
}

const subQuery: BindSubQuery = (tree, scope) => bindQuery(tree, scope, false).query

function refuseClauses(tree: QueryTree | SqlWithQuery): void {
  if (tree.insertClause || tree.replaceClause) throw refusal('Only SELECT is answered.')
  if (tree.explain) throw refusal('EXPLAIN is not answered.')
  if (tree.contextStatements) throw refusal('SET is not supported: use the context of the request.')
  if (tree.partitionedByClause || tree.clusteredByClause) throw refusal('Only SELECT is answered.')
}

function bindQuery(tree: QueryTree | SqlWithQuery, outer: Scope, isTop: boolean): BoundQuery {
  refuseClauses(tree)
  const scope = deeper(outer)
  const parts = tree.withClause?.withParts.values ?? []
  const ctes = new Map(scope.ctes)
  const bound = parts.map((part) => {
    if (!(part.query instanceof QueryTree || part.query instanceof SqlWithQuery)) {
      throw refusal('VALUES is not supported.')
    }
    const before = scope.binding.tables()
    const one = renamed(
      bindQuery(part.query, { ...scope, ctes, relations: [] }, false),
      part.columns,
    )
    const name = scope.binding.fresh('q')
    const tables = scope.binding.tables() - before
    ctes.set(part.table.name, { name, columns: one.columns, tables } satisfies Cte)
    return { name, query: one.query }
  })
  const inner = { ...scope, ctes }
  const body =
    tree instanceof SqlWithQuery ? bindWithBody(tree, inner, isTop) : bindLegs(tree, inner, isTop)
  return { ...body, query: { ...body.query, ctes: [...bound, ...body.query.ctes] } }
}

function bindWithBody(tree: SqlWithQuery, scope: Scope, isTop: boolean): BoundQuery {
  if (tree.orderByClause || tree.limitClause || tree.offsetClause) {
    throw refusal('Write ORDER BY and LIMIT inside the brackets.')
  }
  return bindQuery(tree.query, scope, isTop)
}

function bindLegs(tree: QueryTree, scope: Scope, isTop: boolean): BoundQuery {
  const trees = [tree]
  for (let next = tree.unionQuery; next; next = next.unionQuery) {
    refuseClauses(next)
    if (next.withClause || next.hasParens())
      throw refusal('A leg of UNION ALL has no brackets and no WITH.')
    trees.push(next)
  }
  const last = trees.at(-1) ?? tree
  if (trees.slice(0, -1).some((t) => t.orderByClause || t.limitClause || t.offsetClause)) {
    throw refusal('ORDER BY and LIMIT stand after the last leg of UNION ALL.')
  }
  const legs = trees.map((leg) => bindLeg(leg, scope, isTop))
  const [first] = legs
  if (!first) throw refusal('Only SELECT is answered.')
  if (legs.some((leg) => leg.select.items.length !== first.select.items.length)) {
    throw refusal('The legs of UNION ALL have different numbers of columns.')
  }
  const order = (last.orderByClause?.expressions.values ?? []).map(({ expression, direction }) => ({
    expr: (legs.length > 1 ? orderOfUnion(first) : first.orderBy)(expression),
    descending: direction?.toUpperCase() === 'DESC',
  }))
  const limit = countOf(last.limitClause?.limit, 'LIMIT')
  const offset = countOf(last.offsetClause?.offset, 'OFFSET')
  return {
    columns: new Map(first.select.items.map(({ name }, i) => [name, columnKind(legs, i)])),
    query: {
      ctes: [],
      legs: legs.map(({ select }) => select),
      order,
      ...(limit === undefined ? {} : { limit }),
      ...(offset === undefined ? {} : { offset }),
    },
  }
}

function columnKind(legs: readonly BoundSelect[], i: number) {
  const kinds = new Set(legs.map((leg) => leg.kinds[i] ?? 'unknown'))
  if (kinds.has('sketch') && kinds.size > 1)
    throw refusal('A sketch and another value share a column of UNION ALL.')
  return kinds.size === 1 ? ([...kinds][0] ?? 'unknown') : 'unknown'
}

/** After a union only columns of the answer can be named. */
const orderOfUnion = (first: BoundSelect) => (expression: SqlBase) => {
  const at = first.positionOf(expression)
  if (at === undefined)
    throw refusal('ORDER BY of UNION ALL names a column of the answer, or its number.')
  return { kind: 'position', position: at } as const
}

function countOf(literal: SqlLiteral | undefined, what: string): number | undefined {
  if (!literal) return undefined
  const { value } = literal
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31)
    return value
  throw refusal(`${what} is a whole number.`)
}

function bindLeg(tree: QueryTree, scope: Scope, isTop: boolean): BoundSelect {
  const from = tree.fromClause
  const [item, ...more] = from?.expressions.values ?? []
  const bind = (part: SqlBase) => bindSource(part, scope)
  const first = item && bind(item)
  // `a, b` is a cross join; the condition stands in WHERE.
  const others = more.map((part) => ({ type: 'CROSS' as const, bound: bind(part), on: undefined }))
  const joins = (from?.joinParts?.values ?? []).map((part) => {
    if (part.natural || part.usingColumns) throw refusal('Joins are written with ON.')
    const type = part.joinType ?? 'INNER'
    if ((type === 'CROSS') === (part.onExpression !== undefined))
      throw refusal('A join needs ON; CROSS JOIN has none.')
    return { type, bound: bind(part.table), on: part.onExpression }
  })
  const all = [...others, ...joins]
  const relations = [...(first ? [first.relation] : []), ...all.map(({ bound }) => bound.relation)]
  if (new Set(relations.map(({ name }) => name)).size < relations.length) {
    throw refusal('Two tables of a SELECT have the same name: give them aliases.')
  }
  // A condition sees what stands before it, and the table it joins.
  const bound = all.map(({ type, bound: { source }, on }, i): SqlJoin => {
    const seen = { ...scope, relations: relations.slice(0, i + 2) }
    return {
      type,
      source,
      ...(on ? { on: bindExpression(on, seen, { aggregates: false, subQuery }) } : {}),
    }
  })
  return bindSelect(
    tree,
    { ...scope, relations },
    { first: first?.source, joins: bound, isTop, subQuery },
  )
}

interface BoundSource {
  readonly relation: Relation
  readonly source: SqlSource
}

function bindSource(part: SqlBase, scope: Scope): BoundSource {
  if (part instanceof SqlAlias)
    return bindNamed(part.expression, part.alias.name, part.columns, scope)
  if (part instanceof SqlTable) return bindNamed(part, part.refName.name, undefined, scope)
  return bindNamed(part, undefined, undefined, scope)
}

function bindNamed(
  part: SqlBase,
  name: string | undefined,
  columns: SqlColumnList | undefined,
  scope: Scope,
): BoundSource {
  const alias = scope.binding.fresh('t')
  if (part instanceof SqlTable)
    return bindTable(part, { name: name ?? part.refName.name, alias, columns }, scope)
  if (!(part instanceof QueryTree || part instanceof SqlWithQuery)) {
    throw refusal(`FROM ${quoted(String(part))}: only tables, WITH names and sub-queries are read.`)
  }
  const { query, columns: made } = renamed(
    bindQuery(part, { ...scope, relations: [] }, false),
    columns,
  )
  const relation = { name: name ?? `\0${alias}`, alias, columns: made }
  return { relation, source: { kind: 'query', alias, query } }
}

interface Naming {
  readonly name: string
  readonly alias: string
  readonly columns: SqlColumnList | undefined
}

function bindTable(table: SqlTable, { name, alias, columns }: Naming, scope: Scope): BoundSource {
  if (columns) throw refusal('Columns of a table cannot be renamed: use a sub-query.')
  const { binding } = scope
  const [schema, wanted] = [table.namespace?.refName.name, table.refName.name]
  const cte = schema === undefined ? scope.ctes.get(wanted) : undefined
  if (cte) {
    binding.countTables(cte.tables)
    return {
      relation: { name, alias, columns: cte.columns },
      source: { kind: 'cte', alias, name: cte.name },
    }
  }
  binding.countTables(1)
  if (schema?.toUpperCase() === 'INFORMATION_SCHEMA') {
    const { rows, columns: known } = informationTable(wanted)
    return {
      relation: { name, alias, columns: known },
      source: { kind: 'rows', alias, columns: [...known.keys()], rows },
    }
  }
  const logical =
    schema === undefined || schema === 'druid' ? tableNames.find((t) => t === wanted) : undefined
  if (!logical) {
    const shown = quoted(schema === undefined ? wanted : `${schema}.${wanted}`)
    throw refusal(
      `There is no table ${shown}. There are: ${tableNames.join(', ')}, and INFORMATION_SCHEMA.`,
    )
  }
  // What of it answers is known when the whole SELECT is (bind-select.ts).
  const view = {
    table: logical,
    split: { batch: [], speed: undefined },
    filters: binding.pinned.filters,
  }
  return {
    relation: { name, alias, columns: tableColumns, table: logical },
    source: { kind: 'view', alias, view },
  }
}

/** `AS name (a, b)` */
function renamed(bound: BoundQuery, list: SqlColumnList | undefined): BoundQuery {
  if (!list) return bound
  const names: readonly RefName[] = list.columns.values
  const kinds = [...bound.columns.values()]
  const [first, ...others] = bound.query.legs
  if (!first || names.length !== first.items.length || kinds.length !== names.length) {
    throw refusal('The list of column names does not fit the sub-query.')
  }
  if (new Set(names.map(({ name }) => name)).size < names.length)
    throw refusal('A column name is there twice.')
  const items = first.items.map(({ expr }, i) => ({ expr, name: names[i]?.name ?? '' }))
  return {
    columns: new Map(names.map(({ name }, i) => [name, kinds[i] ?? 'unknown'])),
    query: { ...bound.query, legs: [{ ...first, items }, ...others] satisfies SqlSelect[] },
  }
}
