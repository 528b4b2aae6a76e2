// How far the joins of a statement may multiply rows. Druid joins the rows of sub-queries on a broker,
// in a thread that no time-out, cancellation or closed connection stops (apache/druid#17163, seen on
// 33.0.0 too): so what may come together is bounded before it begins.
import type { SqlCall, SqlExpr, SqlQuery, SqlSelect, SqlSource } from '#core/sql.ts'
import { sqlFunctions } from '#core/sql-functions.ts'

/** Pairs of rows that a broker gets through in seconds: 7 million a second on a slow core. */
const pairsMax = 200_000_000

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

/** Tables of a FROM that multiply with each other. */
function factorsOf({ joins, where }: SqlSelect, ctes: ReadonlyMap<string, SqlQuery>): number {
  const multiplies = joins.filter(({ type, source, on }) => {
    // An outer join keeps its rows whatever WHERE says; of the others it is part of the condition.
    const isInner = type === 'CROSS' || type === 'INNER'
    return !isKeyed(source, [on, isInner ? where : undefined], ctes)
  })
  return 1 + multiplies.length
}

/** At most one row of the source fits each row that it is joined to. */
function isKeyed(
  source: SqlSource,
  conditions: readonly (SqlExpr | undefined)[],
  ctes: ReadonlyMap<string, SqlQuery>,
): boolean {
  const query =
    source.kind === 'query'
      ? source.query
      : source.kind === 'cte'
        ? ctes.get(source.name)
        : undefined
  const [select, ...others] = query?.legs ?? []
  if (!query || !select || others.length > 0) return false
  if (query.limit === 1) return true
  const equated = new Set(conditions.flatMap((on) => equatedColumns(on, source.alias)))
  // A group that the answer does not show can be equal to nothing.
  const isEquated = (key: SqlExpr) =>
    key.kind === 'position' && equated.has(select.items[key.position - 1]?.name ?? '')
  if (select.distinct) return select.items.every(({ name }) => equated.has(name))
  if (select.group) {
    const { by, sets } = select.group
    return by === 'plain' && (sets[0] ?? []).every(isEquated)
  }
  return select.items.some(({ expr }) => isAggregate(expr))
}

/** Columns of a source that a condition sets equal to something that is not the source's. */
function equatedColumns(on: SqlExpr | undefined, alias: string): string[] {
  if (on?.kind !== 'op') return []
  if (on.op === 'AND') return on.args.flatMap((arg) => equatedColumns(arg, alias))
  const [a, b] = on.args
  if (on.op !== '=' || !a || !b) return []
  const column = (one: SqlExpr, other: SqlExpr) =>
    one.kind === 'column' && one.source === alias && !namesSource(other, alias) ? [one.name] : []
  return [...column(a, b), ...column(b, a)]
}

function namesSource(expr: SqlExpr, alias: string): boolean {
  for (const node of nodesOf(expr)) if ('source' in node && node.source === alias) return true
  return false
}

/** Holds an aggregate; those of a sub-query are its own. */
function isAggregate(expr: SqlExpr): boolean {
  for (const node of nodesOf(expr, (inner) => 'legs' in inner)) {
    const { kind, name } = node as Partial<SqlCall>
    if (kind === 'call' && sqlFunctions.get(name ?? '')?.aggregate) return true
  }
  return false
}
