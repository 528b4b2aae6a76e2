// A statement over the logical tables as a value: what the SQL gateway asks and every OLAP adapter
// compiles. Every name in it was made by the gateway and is unique in the statement; of what a user
// wrote only values and the names of the answer's columns are left, so no text of theirs is ever run.
import type { GrainSplit } from './grain.ts'
import type { Filter } from './report-query.ts'

export type LogicalTable = 'clicks' | 'clicks_hour' | 'clicks_day'

export const compareOps = ['=', '<>', '<', '>', '<=', '>='] as const
export type SqlOp =
  | (typeof compareOps)[number]
  | 'AND'
  | 'OR'
  | '+'
  | '-'
  | '*'
  | '/'
  | '||'
  | 'IS DISTINCT FROM'
  | 'IS NOT DISTINCT FROM'

export const castTypes = [
  'VARCHAR',
  'BIGINT',
  'INTEGER',
  'DOUBLE',
  'FLOAT',
  'BOOLEAN',
  'TIMESTAMP',
  'DATE',
] as const
export type CastType = (typeof castTypes)[number]

/** What a column or an expression holds, as far as the gateway has to know. */
export type SqlKind = 'time' | 'text' | 'number' | 'boolean' | 'sketch' | 'unknown'

export interface SqlCall {
  readonly kind: 'call'
  /** One of core/sql-functions.ts. */
  readonly name: string
  readonly args: readonly SqlExpr[]
  /** HOUR, DAY ..: of TIMESTAMPDIFF; all else that has a unit comes as TIME_FLOOR and its like. */
  readonly unit?: string
  readonly distinct?: boolean
  /** FILTER (WHERE ..) of an aggregate. */
  readonly filter?: SqlExpr
}

export type SqlExpr =
  | { readonly kind: 'value'; readonly value: string | number | bigint | boolean | null }
  /** An instant, ms. */
  | { readonly kind: 'instant'; readonly time: number }
  | {
      readonly kind: 'column'
      readonly source: string
      readonly name: string
      readonly holds: SqlKind
    }
  /** Of ORDER BY: a column of the answer, from 1. */
  | { readonly kind: 'position'; readonly position: number }
  | SqlCall
  | { readonly kind: 'op'; readonly op: SqlOp; readonly args: readonly SqlExpr[] }
  | { readonly kind: 'not' | 'minus'; readonly arg: SqlExpr }
  | {
      readonly kind: 'is'
      readonly arg: SqlExpr
      readonly what: 'NULL' | 'TRUE' | 'FALSE'
      readonly negated: boolean
    }
  | {
      readonly kind: 'in'
      readonly arg: SqlExpr
      readonly values: readonly SqlExpr[] | SqlQuery
      readonly negated: boolean
    }
  | {
      readonly kind: 'like'
      readonly arg: SqlExpr
      readonly pattern: SqlExpr
      readonly escape?: string
      readonly negated: boolean
    }
  | {
      readonly kind: 'case'
      readonly whens: readonly (readonly [when: SqlExpr, then: SqlExpr])[]
      readonly otherwise?: SqlExpr
    }
  | { readonly kind: 'cast'; readonly arg: SqlExpr; readonly holds: SqlKind; readonly to: CastType }
  | { readonly kind: 'query'; readonly query: SqlQuery }

/** The rows of a logical table that a statement may see, pinned. */
export interface SqlView {
  readonly table: LogicalTable
  /** Which rows answer: see core/grain.ts. */
  readonly split: GrainSplit
  /** The tenant's predicate: inside, where nothing of the statement reaches. */
  readonly filters: readonly Filter[]
}

export type SqlSource = { readonly alias: string } & (
  | { readonly kind: 'view'; readonly view: SqlView }
  | { readonly kind: 'cte'; readonly name: string }
  | { readonly kind: 'query'; readonly query: SqlQuery }
  | {
      readonly kind: 'rows'
      readonly columns: readonly string[]
      readonly rows: readonly (readonly (string | number)[])[]
    }
)

export interface SqlJoin {
  readonly type: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS'
  readonly source: SqlSource
  readonly on?: SqlExpr
}

export interface SqlSelect {
  readonly distinct: boolean
  readonly items: readonly { readonly expr: SqlExpr; readonly name: string }[]
  /** Absent: one row without columns. */
  readonly from?: SqlSource
  readonly joins: readonly SqlJoin[]
  readonly where?: SqlExpr
  readonly group?: {
    readonly by: 'plain' | 'ROLLUP' | 'CUBE' | 'GROUPING SETS'
    /** One list; of GROUPING SETS one for each set. */
    readonly sets: readonly (readonly SqlExpr[])[]
  }
  readonly having?: SqlExpr
}

export interface SqlQuery {
  readonly ctes: readonly { readonly name: string; readonly query: SqlQuery }[]
  /** One, or the legs of UNION ALL. */
  readonly legs: readonly SqlSelect[]
  readonly order: readonly { readonly expr: SqlExpr; readonly descending: boolean }[]
  readonly limit?: number
  readonly offset?: number
}

/** Stores run it in UTC: where another zone matters, an argument names it. */
export interface SqlStatement {
  readonly query: SqlQuery
  /** Every view that the query reads. */
  readonly views: readonly SqlView[]
  readonly timeoutMs: number
  /** What a store may estimate; absent: as it does by itself. Where all is exact it has no effect. */
  readonly estimate?: { readonly countDistinct?: boolean; readonly topN?: boolean }
  /** Rows that are read at most: one more than may be answered. */
  readonly rowsMax: number
}

export type SqlValue = string | number | boolean | null

/** Names of Druid, in both adapters. */
/** Times are written in UTC: 2026-11-22T05:00:00.000Z. */
export interface SqlColumn {
  readonly name: string
  /** LONG, STRING, DOUBLE .. */
  readonly type: string
  /** BIGINT, VARCHAR, TIMESTAMP .. */
  readonly sqlType: string
}

export interface SqlAnswer {
  readonly columns: readonly SqlColumn[]
  /** In batches. Whoever stops before the end ends the query. */
  readonly rows: AsyncIterable<readonly (readonly SqlValue[])[]>
}
