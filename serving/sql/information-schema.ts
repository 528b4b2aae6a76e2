// INFORMATION_SCHEMA: the logical tables and nothing else, as rows that a statement can query like any
// table. The shapes are Druid's, which its clients read.
import type { SqlKind } from '#core/sql.ts'
import { quoted, refusal } from './refusal.ts'
import { tableColumns, tableNames } from './tables.ts'

type Row = readonly (string | number)[]

interface InformationTable {
  readonly columns: ReadonlyMap<string, SqlKind>
  readonly rows: readonly Row[]
}

const catalog = 'druid'

/** Druid's type and java.sql.Types of what a column holds. */
const types: Record<SqlKind, readonly [name: string, jdbc: number]> = {
  time: ['TIMESTAMP', 93],
  text: ['VARCHAR', 12],
  number: ['BIGINT', -5],
  boolean: ['BOOLEAN', 16],
  sketch: ['COMPLEX<HLLSketch>', 1111],
  unknown: ['OTHER', 1111],
}

const table = (
  columns: readonly (readonly [name: string, holds: SqlKind])[],
  rows: readonly Row[],
): InformationTable => ({ columns: new Map(columns), rows })

const text = (...names: string[]) => names.map((name) => [name, 'text'] as const)
const schemas = ['INFORMATION_SCHEMA', 'druid']
const informationTables = ['COLUMNS', 'SCHEMATA', 'TABLES']

const columnRows: Row[] = tableNames.flatMap((name) =>
  [...tableColumns].map(([column, holds], i) => {
    const [type, jdbc] = types[holds]
    const isNullable = holds === 'time' ? 'NO' : 'YES'
    return [catalog, 'druid', name, column, i + 1, '', isNullable, type, jdbc]
  }),
)

const known: Record<string, InformationTable> = {
  SCHEMATA: table(
    text('CATALOG_NAME', 'SCHEMA_NAME', 'SCHEMA_OWNER'),
    schemas.map((name) => [catalog, name, '']),
  ),
  TABLES: table(
    text(
      'TABLE_CATALOG',
      'TABLE_SCHEMA',
      'TABLE_NAME',
      'TABLE_TYPE',
      'IS_JOINABLE',
      'IS_BROADCAST',
    ),
    [
      ...informationTables.map((name) => [
        catalog,
        'INFORMATION_SCHEMA',
        name,
        'SYSTEM_TABLE',
        'NO',
        'NO',
      ]),
      ...tableNames.map((name) => [catalog, 'druid', name, 'TABLE', 'NO', 'NO']),
    ],
  ),
  COLUMNS: table(
    [
      ...text('TABLE_CATALOG', 'TABLE_SCHEMA', 'TABLE_NAME', 'COLUMN_NAME'),
      ['ORDINAL_POSITION', 'number'],
      ...text('COLUMN_DEFAULT', 'IS_NULLABLE', 'DATA_TYPE'),
      ['JDBC_TYPE', 'number'],
    ],
    columnRows,
  ),
}

/** @throws ClickledgerError `sql-refused` */
export function informationTable(name: string): InformationTable {
  const found = Object.hasOwn(known, name.toUpperCase()) ? known[name.toUpperCase()] : undefined
  if (found) return found
  throw refusal(
    `There is no table INFORMATION_SCHEMA.${quoted(name)}. There are: ${informationTables.join(', ')}.`,
  )
}
