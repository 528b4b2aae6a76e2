// Expressions of the syntax tree -> values of core/sql.ts. An allow-list: each kind of node has a
// function here, and whatever has none is refused with its name.
import {
  type SqlBase,
  SqlBetweenPart,
  SqlCase,
  SqlColumn,
  SqlComparison,
  SqlFunction,
  SqlInterval,
  SqlLikePart,
  SqlLiteral,
  SqlMulti,
  SqlPlaceholder,
  SqlQuery,
  SqlRecord,
  SqlUnary,
  SqlWithQuery,
} from 'druid-query-toolkit'
import { compareOps, type SqlExpr, type SqlKind, type SqlOp } from '#core/sql.ts'
import { sqlFunctions } from '#core/sql-functions.ts'
import { bindFunction } from './bind-function.ts'
import { addInterval } from './bind-times.ts'
import { bindLiteral, readInstant } from './literals.ts'
import { quoted, refusal } from './refusal.ts'
import { deeper, findColumn, type Scope } from './scope.ts'

/** Where an expression stands. */
export interface Place {
  /** Aggregates are allowed: SELECT, HAVING, ORDER BY. */
  readonly aggregates: boolean
  /** A bare sketch may pass: into a function that reads it, or out of a sub-query. */
  readonly sketches?: boolean
  /** How a sub-query is bound (bind-query.ts; it would import this file, and this file it). */
  readonly subQuery: BindSubQuery
}

export type BindSubQuery = (
  tree: SqlQuery | SqlWithQuery,
  scope: Scope,
) => Extract<SqlExpr, { kind: 'query' }>['query']

export function kindOf(expr: SqlExpr): SqlKind {
  switch (expr.kind) {
    case 'value':
      return expr.value === null
        ? 'unknown'
        : typeof expr.value === 'string'
          ? 'text'
          : typeof expr.value === 'boolean'
            ? 'boolean'
            : 'number'
    case 'instant':
      return 'time'
    case 'column':
      return expr.holds
    case 'cast':
      return castKinds[expr.to] ?? 'number'
    case 'call': {
      const gives = sqlFunctions.get(expr.name)?.gives ?? 'unknown'
      const [first] = expr.args
      return gives === 'first' ? (first ? kindOf(first) : 'unknown') : gives
    }
    case 'case':
      return kindOfAny([
        ...expr.whens.map(([, then]) => then),
        ...(expr.otherwise ? [expr.otherwise] : []),
      ])
    case 'op':
      if (expr.op === '||') return 'text'
      return ['+', '-', '*', '/'].includes(expr.op) ? 'number' : 'boolean'
    case 'minus':
      return 'number'
    case 'query':
    case 'position':
      return 'unknown'
    default:
      return 'boolean'
  }
}

const castKinds: Partial<Record<string, SqlKind>> = {
  VARCHAR: 'text',
  BOOLEAN: 'boolean',
  TIMESTAMP: 'time',
}

const kindOfAny = (exprs: readonly SqlExpr[]): SqlKind =>
  exprs.map(kindOf).find((kind) => kind !== 'unknown') ?? 'unknown'

/** Texts that are compared with times are times. */
function alike(exprs: readonly SqlExpr[], zone: string): SqlExpr[] {
  if (!exprs.some((expr) => kindOf(expr) === 'time')) return [...exprs]
  return exprs.map((expr) =>
    expr.kind === 'value' && typeof expr.value === 'string' ? readInstant(expr.value, zone) : expr,
  )
}

const and = (op: 'AND' | 'OR', args: readonly SqlExpr[]): SqlExpr => ({ kind: 'op', op, args })

/** @throws ClickledgerError `sql-refused` */
export function bindExpression(part: SqlBase, outer: Scope, place: Place): SqlExpr {
  const scope = deeper(outer)
  const inner: Place = { aggregates: place.aggregates, subQuery: place.subQuery }
  const bind = (some: SqlBase) => bindExpression(some, scope, inner)
  if (part instanceof SqlColumn) return bindColumn(part, scope, place)
  if (part instanceof SqlLiteral) return bindLiteral(part, scope.binding.pinned.timeZone)
  if (part instanceof SqlPlaceholder) {
    if (part.customPlaceholder) throw refusal('Parameters are written as ?.')
    return scope.binding.parameter(part)
  }
  if (part instanceof SqlFunction) return bindFunction(part, scope, inner)
  if (part instanceof SqlMulti) return bindMulti(part, scope, bind)
  if (part instanceof SqlComparison) return bindComparison(part, scope, inner)
  if (part instanceof SqlUnary) return bindUnary(part, bind)
  if (part instanceof SqlCase) return bindCase(part, bind)
  if (part instanceof SqlQuery || part instanceof SqlWithQuery) {
    return { kind: 'query', query: oneColumn(place.subQuery(part, scope)) }
  }
  if (part instanceof SqlInterval) throw intervalRefusal()
  throw refusal(`${quoted(String(part))}: '${part.type}' is not supported in an expression.`)
}

function oneColumn<T extends { legs: readonly { items: readonly unknown[] }[] }>(query: T): T {
  if (query.legs[0]?.items.length === 1) return query
  throw refusal('A sub-query in an expression has one column.')
}

function bindColumn({ refName, table }: SqlColumn, scope: Scope, place: Place): SqlExpr {
  const namespace = table?.namespace?.refName.name
  if (namespace !== undefined && namespace !== 'druid') {
    throw refusal(`There is no schema ${quoted(namespace)} here.`)
  }
  const column = findColumn(scope.relations, table?.refName.name, refName.name)
  if (column.holds === 'sketch' && !place.sketches) {
    throw refusal(
      `${column.name} is a sketch of distinct values: only APPROX_COUNT_DISTINCT_DS_HLL(${column.name}) reads it.`,
    )
  }
  return column
}

const families: readonly (readonly string[])[] = [
  ['+', '-'],
  ['*', '/'],
]

interface Term {
  /** What stands before it. */
  readonly op: SqlMulti['op']
  readonly part: SqlBase
}

/**
 * The terms of a sum or a product, as they are written. The tree has a * b / c as a * (b / c), which is
 * another number where / cuts: SQL goes from left to right.
 */
function termsOf(
  part: SqlBase,
  op: SqlMulti['op'],
  family: readonly string[],
  isTop = true,
): Term[] {
  if (!(part instanceof SqlMulti) || !family.includes(part.op) || (!isTop && part.hasParens())) {
    return [{ op, part }]
  }
  return part.args.values.flatMap((arg, i) => termsOf(arg, i === 0 ? op : part.op, family, false))
}

function bindMulti(part: SqlMulti, scope: Scope, bind: (part: SqlBase) => SqlExpr): SqlExpr {
  const family = families.find((ops) => ops.includes(part.op))
  if (!family) return { kind: 'op', op: part.op, args: part.args.values.map(bind) }
  const [first, ...rest] = termsOf(part, part.op, family)
  if (!first || first.part instanceof SqlInterval) throw intervalRefusal()
  return rest.reduce<SqlExpr>((left, term) => {
    if (!(term.part instanceof SqlInterval)) {
      return { kind: 'op', op: term.op, args: [left, bind(term.part)] }
    }
    if (term.op !== '+' && term.op !== '-') throw intervalRefusal()
    return addInterval(left, term.part, term.op === '-' ? -1 : 1, scope.binding.pinned.timeZone)
  }, bind(first.part))
}

const intervalRefusal = () =>
  refusal("INTERVAL is understood as <time> + INTERVAL '1' DAY, and with -.")

function bindUnary({ op, argument }: SqlUnary, bind: (part: SqlBase) => SqlExpr): SqlExpr {
  const arg = bind(argument)
  if (op === '+') return arg
  return { kind: op === 'NOT' ? 'not' : 'minus', arg }
}

function bindCase(part: SqlCase, bind: (part: SqlBase) => SqlExpr): SqlExpr {
  const subject = part.caseExpression && bind(part.caseExpression)
  const whens = part.whenThenParts.values.map(({ whenExpressions, thenExpression }) => {
    const tests = whenExpressions.values
      .map(bind)
      .map((test): SqlExpr => (subject ? { kind: 'op', op: '=', args: [subject, test] } : test))
    const [only] = tests
    const when = tests.length === 1 && only ? only : and('OR', tests)
    return [when, bind(thenExpression)] as const
  })
  return {
    kind: 'case',
    whens,
    ...(part.elseExpression ? { otherwise: bind(part.elseExpression) } : {}),
  }
}

function bindComparison(part: SqlComparison, scope: Scope, place: Place): SqlExpr {
  if (part.decorator) throw refusal('Comparisons with ANY and ALL are not supported.')
  const bind = (some: SqlBase) => bindExpression(some, scope, place)
  const zone = scope.binding.pinned.timeZone
  const negated = part.op.includes('NOT')
  const { lhs, rhs } = part
  if (part.op === 'IN' || part.op === 'NOT IN') return bindIn(part, negated, scope, place)
  const arg = bind(lhs)
  if (rhs instanceof SqlBetweenPart) {
    if (rhs.symmetric) throw refusal('BETWEEN SYMMETRIC is not supported.')
    const [low = arg, high = arg] = [rhs.start, rhs.end].map(bind)
    const [a = arg, from = low] = alike([arg, low], zone)
    const [, to = high] = alike([arg, high], zone)
    const inside = and('AND', [
      { kind: 'op', op: '>=', args: [a, from] },
      { kind: 'op', op: '<=', args: [a, to] },
    ])
    return negated ? { kind: 'not', arg: inside } : inside
  }
  if (part.op === 'LIKE' || part.op === 'NOT LIKE') {
    if (!(rhs instanceof SqlLikePart)) return { kind: 'like', arg, pattern: bind(rhs), negated }
    const mark = bind(rhs.escape)
    if (mark.kind !== 'value' || typeof mark.value !== 'string' || mark.value.length !== 1) {
      throw refusal('ESCAPE is one character.')
    }
    return { kind: 'like', arg, pattern: bind(rhs.like), escape: mark.value, negated }
  }
  if (part.op === 'IS' || part.op === 'IS NOT') {
    const what = rhs instanceof SqlLiteral ? rhs.value : undefined
    if (what !== null && typeof what !== 'boolean') throw refusal('IS is for NULL, TRUE and FALSE.')
    return { kind: 'is', arg, what: what === null ? 'NULL' : what ? 'TRUE' : 'FALSE', negated }
  }
  const op = [...compareOps, 'IS DISTINCT FROM', 'IS NOT DISTINCT FROM'].find((o) => o === part.op)
  if (!op) throw refusal(`The comparison ${quoted(part.op)} is not supported.`)
  return { kind: 'op', op: op as SqlOp, args: alike([arg, bind(rhs)], zone) }
}

function bindIn(part: SqlComparison, negated: boolean, scope: Scope, place: Place): SqlExpr {
  const bind = (some: SqlBase) => bindExpression(some, scope, place)
  const { lhs, rhs } = part
  const arg = bind(lhs)
  if (rhs instanceof SqlQuery || rhs instanceof SqlWithQuery) {
    return { kind: 'in', arg, values: oneColumn(place.subQuery(rhs, scope)), negated }
  }
  if (!(rhs instanceof SqlRecord)) throw refusal('IN takes a list in brackets or a sub-query.')
  const values = (rhs.expressions?.values ?? []).map(bind)
  if (values.length === 0) throw refusal('The list of IN is empty.')
  const [first = arg, ...rest] = alike([arg, ...values], scope.binding.pinned.timeZone)
  return { kind: 'in', arg: first, values: rest, negated }
}
