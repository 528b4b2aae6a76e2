// Rows as CSV (RFC 4180). A text that a spreadsheet would run as a formula gets an apostrophe in front:
// values of some dimensions come from whoever clicked. Programs read Parquet or JSON.
import type { AnswerRow } from './answer.ts'
import type { FileWriter } from './export.ts'

const lineEnd = '\r\n'

function cell(value: string | number | undefined): string {
  if (typeof value === 'number') return String(value)
  const text = /^[=+\-@\t\r]/.test(value ?? '') ? `'${value}` : (value ?? '')
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

export function createCsvWriter(columns: readonly string[]): FileWriter {
  const line = (row: AnswerRow) => columns.map((name) => cell(row[name])).join(',') + lineEnd
  return {
    begin: () => columns.join(',') + lineEnd,
    rows: (rows) => rows.map(line).join(''),
    end: () => '',
  }
}
