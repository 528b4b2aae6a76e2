// What a statement is bound against: what was pinned for it, the tables in sight, and the counts that
// keep it small. Users' names end here: everything gets a name of its own.
import type { Interval } from '#core/boundary.ts'
import type { Dropped, Filter } from '#core/report-query.ts'
import type { LogicalTable, SqlExpr, SqlKind, SqlView } from '#core/sql.ts'
import { limits } from '#schemas/limits.ts'
import { quoted, refusal } from './refusal.ts'

/** Read once for a statement: all of its tables are of one snapshot. */
export interface Pinned {
  readonly now: number
  readonly boundary: number
  readonly dropped: Dropped
  readonly arriving: readonly Interval[]
  /** Nothing is older. */
  readonly earliest: number
  /** The tenant's predicate. */
  readonly filters: readonly Filter[]
  readonly timeZone: string
}

/** Columns by name, in order. */
export type Columns = ReadonlyMap<string, SqlKind>

/** A table in sight of a SELECT. */
export interface Relation {
  /** As the statement calls it. */
  readonly name: string
  /** As it is called from here on. */
  readonly alias: string
  readonly columns: Columns
  readonly table?: LogicalTable
}

export interface Cte {
  readonly name: string
  readonly columns: Columns
  /** Tables behind it. */
  readonly tables: number
}

export interface Binding {
  readonly pinned: Pinned
  readonly parameter: (placeholder: object) => SqlExpr
  readonly views: SqlView[]
  /** A name that nothing else in the statement has. */
  fresh(prefix: 't' | 'q'): string
  /** Counts a part of the statement. */
  count(depth: number): void
  countTables(count: number): void
  tables(): number
}

export function createBinding(pinned: Pinned, parameter: Binding['parameter']): Binding {
  let names = 0
  let parts = 0
  let tables = 0
  return {
    pinned,
    parameter,
    views: [],
    fresh: (prefix) => `${prefix}${++names}`,
    count(depth) {
      parts++
      if (depth > limits.sqlDepthMax) throw refusal('The statement is nested too deeply.')
      if (parts > limits.sqlPartsMax) throw refusal('The statement has too many parts.')
    },
    countTables(count) {
      tables += count
      if (tables > limits.sqlTablesMax) {
        throw refusal(`The statement reads more than ${limits.sqlTablesMax} tables.`)
      }
    },
    tables: () => tables,
  }
}

/** What an expression can name. */
export interface Scope {
  readonly binding: Binding
  readonly relations: readonly Relation[]
  readonly ctes: ReadonlyMap<string, Cte>
  readonly depth: number
}

export const deeper = (scope: Scope): Scope => {
  scope.binding.count(scope.depth + 1)
  return { ...scope, depth: scope.depth + 1 }
}

/** The one column of that name. @throws ClickledgerError `sql-refused` */
export function findColumn(
  relations: readonly Relation[],
  table: string | undefined,
  name: string,
): SqlExpr & { readonly kind: 'column' } {
  const named = relations.filter((relation) => table === undefined || relation.name === table)
  if (named.length === 0 && table !== undefined) {
    throw refusal(
      `There is no table ${quoted(table)} in this SELECT: a sub-query sees only its own FROM.`,
    )
  }
  const [found, another] = named.filter((relation) => relation.columns.has(name))
  const shown = quoted(table === undefined ? name : `${table}.${name}`)
  if (!found) {
    const known = named.flatMap(({ columns }) => [...columns.keys()]).slice(0, 40)
    throw refusal(`There is no column ${shown} here. There are: ${known.join(', ') || 'none'}.`)
  }
  if (another) throw refusal(`Column ${shown} is in more than one table: write table.column.`)
  return { kind: 'column', source: found.alias, name, holds: found.columns.get(name) ?? 'unknown' }
}
