// Rows in the five formats of Druid's SQL API, piece by piece. A line format ends with an empty line,
// by which a client knows that it has everything.
import { formatInstant } from '#core/buckets.ts'
import type { SqlColumn, SqlValue } from '#core/sql.ts'
import type { ResultFormat, SqlRequest } from './request.ts'

type Row = readonly SqlValue[]
type Shown = Pick<SqlRequest, 'format' | 'header' | 'typesHeader' | 'sqlTypesHeader' | 'timeZone'>

export const contentTypes: Record<ResultFormat, string> = {
  object: 'application/json',
  array: 'application/json',
  objectLines: 'text/plain; charset=utf-8',
  arrayLines: 'text/plain; charset=utf-8',
  csv: 'text/csv; charset=utf-8',
}

export interface RowFormat {
  head(): string
  /** @param isFirst - nothing but the head was written before */
  rows(rows: readonly Row[], isFirst: boolean): string
  tail(): string
}

const csvField = (value: SqlValue): string => {
  const text = value === null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Times are written in the zone of the request. */
function inZone(columns: readonly SqlColumn[], zone: string): (row: Row) => Row {
  const times = columns.flatMap(({ sqlType }, i) => (/^(TIMESTAMP|DATE)$/.test(sqlType) ? [i] : []))
  if (zone === 'UTC' || times.length === 0) return (row) => row
  return (row) =>
    row.map((value, i) => {
      const time = times.includes(i) && typeof value === 'string' ? Date.parse(value) : Number.NaN
      return Number.isNaN(time) ? value : formatInstant(time, zone)
    })
}

/** The rows that stand before the rows. */
function headerRows(columns: readonly SqlColumn[], shown: Shown): string[][] {
  return [
    ...(shown.header ? [columns.map(({ name }) => name)] : []),
    ...(shown.typesHeader ? [columns.map(({ type }) => type)] : []),
    ...(shown.sqlTypesHeader ? [columns.map(({ sqlType }) => sqlType)] : []),
  ]
}

/** Object formats have one header, with the types in it. */
function headerObject(columns: readonly SqlColumn[], shown: Shown): string[] {
  if (!shown.header) return []
  const fields = columns.map(({ name, type, sqlType }) => {
    const types = {
      ...(shown.typesHeader ? { type } : {}),
      ...(shown.sqlTypesHeader ? { sqlType } : {}),
    }
    return `${JSON.stringify(name)}:${Object.keys(types).length > 0 ? JSON.stringify(types) : 'null'}`
  })
  return [`{${fields.join(',')}}`]
}

/** @param columns - of the answer */
export function createFormat(columns: readonly SqlColumn[], shown: Shown): RowFormat {
  const localised = inZone(columns, shown.timeZone)
  // Not through objects: names such as "1" would change places.
  const names = columns.map(({ name }) => `${JSON.stringify(name)}:`)
  const asObject = (row: Row) => `{${row.map((v, i) => names[i] + JSON.stringify(v)).join(',')}}`
  const asArray = (row: Row) => JSON.stringify(row)
  const asCsv = (row: Row) => row.map(csvField).join(',')
  const { format } = shown
  const isObject = format === 'object' || format === 'objectLines'
  const one = isObject ? asObject : format === 'csv' ? asCsv : asArray
  const heads = isObject ? headerObject(columns, shown) : headerRows(columns, shown).map(one)
  if (format === 'object' || format === 'array') {
    return {
      head: () => `[${heads.join(',')}`,
      rows: (rows, isFirst) => {
        const text = rows.map((row) => one(localised(row))).join(',')
        return text !== '' && !(isFirst && heads.length === 0) ? `,${text}` : text
      },
      tail: () => ']\n',
    }
  }
  return {
    head: () => heads.map((line) => `${line}\n`).join(''),
    rows: (rows) => rows.map((row) => `${one(localised(row))}\n`).join(''),
    tail: () => '\n',
  }
}
