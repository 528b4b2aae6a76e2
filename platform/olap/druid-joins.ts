// How far the joins of a statement may multiply rows. Druid joins the rows of sub-queries on a broker,
// in a thread that no time-out, cancellation or closed connection stops (apache/druid#17163, seen on
// 33.0.0 too): so what may come together is bounded before it begins.
import type { SqlCall, SqlExpr, SqlQuery, SqlSelect, SqlSource } from '#core/sql.ts'
import { sqlFunctions } from '#core/sql-functions.ts'

/** Pairs of rows that a broker gets through in seconds: 7 million a second on a slow core. */
const pairsMax = 200_000_000

type Ctes = ReadonlyMap<string, SqlQuery>

/**
 * Rows that all sub-queries of a statement may make together (Druid's `maxSubqueryRows`): of `n` tables
 * that are multiplied with each other the product is then at most `pairsMax`.
 * @returns undefined where no join multiplies: Druid's own limit is enough
 */
export function subqueryRowsMax(query: SqlQuery): number | undefined {
  const ctes = new Map<string, SqlQuery>()
  const selects: SqlSelect[] = []
  for (const node of nodesOf(query)) {
    for (const { name, query: cte } of (node as Partial<SqlQuery>).ctes ?? []) ctes.set(name, cte)
    if ('joins' in node) selects.push(node as SqlSelect)
  }
  const factors = Math.max(1, ...selects.map((select) => factorsOf(select, ctes)))
  return factors > 1 ? Math.floor(factors * pairsMax ** (1 / factors)) : undefined
}

/** Every object of a statement: expressions, sources, queries. @param skip - these and all in them are left out */
function* nodesOf(value: unknown, skip?: (node: object) => boolean): Generator<object> {
  if (typeof value !== 'object' || value === null || skip?.(value)) return
  yield value
  for (const part of Object.values(value)) yield* nodesOf(part, skip)
}

/** Tables of a FROM that multiply with each other. Druid joins them in the order of the text. */
function factorsOf({ from, joins, where }: SqlSelect, ctes: Ctes): number {
  const joined = new Set(from ? [from.alias] : [])
  let factors = 1
  for (const { type, source, on } of joins) {
    // An outer join keeps its rows whatever WHERE says; of the others it is part of the condition.
    const isInner = type === 'CROSS' || type === 'INNER'
    const conditions = isInner ? [on, where] : [on]
    const equated = conditions.flatMap((c) => equatedColumns(c, source.alias, joined))
    if (!isKeyed(queryOf(source, ctes), new Set(equated))) factors++
    joined.add(source.alias)
  }
  return factors
}

function queryOf(source: SqlSource, ctes: Ctes): SqlQuery | undefined {
  if (source.kind === 'cte') return ctes.get(source.name)
  return source.kind === 'query' ? source.query : undefined
}

/** At most one row of the query has the same values in these columns. */
function isKeyed(query: SqlQuery | undefined, equated: ReadonlySet<string>): boolean {
  const [select, ...others] = query?.legs ?? []
  if (!select || others.length > 0) return false
  if (query?.limit === 1) return true
  if (select.distinct) return select.items.every(({ name }) => equated.has(name))
  if (!select.group) return select.items.some(({ expr }) => isAggregate(expr))
  const { by, sets } = select.group
  // A group that the answer does not show can be equal to nothing.
  const isEquated = (key: SqlExpr) =>
    key.kind === 'position' && equated.has(select.items[key.position - 1]?.name ?? '')
  return by === 'plain' && (sets[0] ?? []).every(isEquated)
}

/** Columns of a table that a condition sets equal to a constant, or to something of tables before it. */
function equatedColumns(
  on: SqlExpr | undefined,
  alias: string,
  before: ReadonlySet<string>,
): string[] {
  if (on?.kind !== 'op') return []
  if (on.op === 'AND') return on.args.flatMap((arg) => equatedColumns(arg, alias, before))
  const [a, b] = on.args
  if (on.op !== '=' || !a || !b) return []
  const column = (one: SqlExpr, other: SqlExpr) =>
    one.kind === 'column' && one.source === alias && isOf(other, before) ? [one.name] : []
  return [...column(a, b), ...column(b, a)]
}

const isQuery = (node: object) => 'legs' in node

/** Whether an expression names columns of these tables only; a sub-query in it is a single value. */
function isOf(expr: SqlExpr, tables: ReadonlySet<string>): boolean {
  for (const node of nodesOf(expr, isQuery)) {
    const { kind, source } = node as { kind?: string; source?: string }
    if (kind === 'column' && !tables.has(source ?? '')) return false
  }
  return true
}

/** Holds an aggregate; those of a sub-query are its own. */
function isAggregate(expr: SqlExpr): boolean {
  for (const node of nodesOf(expr, isQuery)) {
    const { kind, name } = node as Partial<SqlCall>
    if (kind === 'call' && sqlFunctions.get(name ?? '')?.aggregate) return true
  }
  return false
}
