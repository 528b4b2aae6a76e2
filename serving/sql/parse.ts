// SQL text -> the syntax tree of druid-query-toolkit, in bounded time. The tree is material: only
// bind-*.ts say which of it is understood, and nothing of it is ever printed again.
import { SqlBase, SqlPlaceholder } from 'druid-query-toolkit'
import { limits } from '#schemas/limits.ts'
import { quoted, refusal } from './refusal.ts'

/** What can be nested: the parser and both stores recurse over it. */
const opening = /[([]|\bCASE\b|\bNOT\b/gi
const strings = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*/g

export interface ParsedSql {
  readonly tree: SqlBase
  /** Number (from 0) of each `?`, in the order of the text. */
  readonly placeholders: ReadonlyMap<SqlBase, number>
}

/** @throws ClickledgerError `sql-refused` */
export function parseSql(text: string): ParsedSql {
  const bytes = Buffer.byteLength(text)
  if (bytes > limits.sqlBytesMax) {
    throw refusal(`The statement has ${bytes} bytes; the limit is ${limits.sqlBytesMax}.`)
  }
  const nested = text.replaceAll(strings, "''").match(opening)?.length ?? 0
  if (nested > limits.sqlBracketsMax) {
    throw refusal(`The statement has more than ${limits.sqlBracketsMax} brackets, CASE and NOT.`)
  }
  let tree: SqlBase
  try {
    tree = SqlBase.parseSql(text)
  } catch (error) {
    throw refusal(`The statement is not understood. ${describe(error)}`)
  }
  const placeholders = tree.collect((part): part is SqlBase => part instanceof SqlPlaceholder)
  return { tree, placeholders: new Map(placeholders.map((part, i) => [part, i])) }
}

interface ParseFault {
  readonly found?: string | null
  readonly location?: { readonly start: { readonly line: number; readonly column: number } }
}

/** Where the parser stopped. What it expected there is a list of hundreds of words. */
function describe(error: unknown): string {
  if (error instanceof RangeError) return 'It is nested too deeply.'
  const { found, location } = error as ParseFault
  if (!location) return quoted((error as Error).message)
  const { line, column } = location.start
  const what = typeof found === 'string' ? `at '${quoted(found)}'` : 'at its end'
  return `The parser stopped ${what} in line ${line}, column ${column}. It reads Druid SQL of one SELECT, with WITH, joins, sub-queries and UNION ALL; it does not read UNION, INTERSECT, EXCEPT, EXISTS, LATERAL, NULLS FIRST, nested comments, or words that SQL reserves as names without double quotes.`
}
