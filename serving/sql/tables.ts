// The logical tables: what INFORMATION_SCHEMA shows and what a statement can name.
import type { LogicalTable, SqlKind } from '#core/sql.ts'
import { dimensions } from '#schemas/dimensions.ts'
import { metrics } from '#schemas/metrics.ts'

export const tableNames: readonly LogicalTable[] = ['clicks', 'clicks_hour', 'clicks_day']

/** Columns of every logical table. */
export const tableColumns: ReadonlyMap<string, SqlKind> = new Map<string, SqlKind>([
  ['__time', 'time'],
  ...dimensions.map(({ name }) => [name, 'text'] as const),
  ...metrics.map(({ name, kind }) => [name, kind === 'sum' ? 'number' : 'sketch'] as const),
])
