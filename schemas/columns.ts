// Column types of the field table in DuckDB's (and Spark's) SQL. Timestamps stay BIGINT
// milliseconds: every engine compares and subtracts them alike, with no time zone in between.
import type { Field, FieldType } from './fields.ts'

const sqlTypes: Record<FieldType, string> = {
  string: 'VARCHAR',
  timestamp: 'BIGINT',
  int: 'INTEGER',
  long: 'BIGINT',
}

/** SQL type of a field. */
export const sqlTypeOf = (field: Field): string => sqlTypes[field.type]

/** `name TYPE, name TYPE, ..` for a CREATE TABLE. */
export function columnDefinitions(fields: readonly Field[]): string {
  return fields.map((f) => `${f.name} ${sqlTypes[f.type]}`).join(', ')
}

/** `{name: 'TYPE', ..}`: the columns argument of DuckDB's read_json. */
export function jsonColumns(fields: readonly Field[]): string {
  return `{${fields.map((f) => `${f.name}: '${sqlTypes[f.type]}'`).join(', ')}}`
}

/** SQL of the value that stands for "unknown" in a field. */
export const emptyValue = (field: Field): string =>
  `CAST(${field.type === 'string' ? "''" : '0'} AS ${sqlTypes[field.type]})`

/** `a, b, ..`: the fields by name. Files of older schema versions have another order, or fewer. */
export const columnNames = (fields: readonly Field[]): string =>
  fields.map((f) => f.name).join(', ')
