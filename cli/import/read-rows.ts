// Lines -> clicks or reasons, block by block. One row is one line: a value with a line break inside
// its quotes is not supported, because a single stray quote would otherwise swallow the rows after it.
import { parse } from 'csv-parse/sync'
import { type Line, lineBytesMax } from '#core/lines.ts'
import { WrongUse } from '../exit.ts'
import { type MappedClick, type Rejected, reject } from './click.ts'
import { columnsRead, type Mapping } from './mapping.ts'
import { type InputFile, readLines } from './read-lines.ts'
import { clickOfJson, createRowMapper, jsonRow } from './to-click.ts'

export interface FileRow {
  readonly line: number
  readonly text: string
  readonly result: MappedClick | Rejected
}

type Mapper = (line: Line) => MappedClick | Rejected
type BlockMapper = (lines: readonly Line[]) => FileRow[]

const tooLong = reject('malformed-row', `the line is longer than ${lineBytesMax} bytes`)
const badQuotes = reject('malformed-row', 'the quotes of the line do not match')

function parseJson(text: string): { value: unknown } | Rejected {
  try {
    return { value: JSON.parse(text) }
  } catch (error) {
    return reject('malformed-row', `not JSON: ${(error as Error).message}`)
  }
}

/** JSON lines: clicks in JSON form, or objects that a mapping reads. */
function jsonMapper(mapping: Mapping | undefined, input: InputFile): Mapper {
  const map = mapping && createRowMapper(mapping)
  return ({ text }) => {
    const parsed = parseJson(text)
    if ('kind' in parsed) return parsed
    if (!map) return clickOfJson(parsed.value, input.modifiedAt)
    const row = jsonRow(parsed.value)
    return row ? map(row) : reject('malformed-row', 'the line is not a JSON object')
  }
}

type Cells = (lines: readonly Line[]) => (readonly string[] | undefined)[]

/** Lines -> values. Undefined: quotes that do not match. */
function createCells(delimiter: string, quoted: boolean): Cells {
  const options = { delimiter, relax_column_count: true, skip_empty_lines: false } as const
  const quotedOne = (text: string): string[] | undefined => {
    try {
      const records: string[][] = parse(text, options)
      return records.length === 1 ? records[0] : undefined
    } catch {
      return undefined
    }
  }
  const cellsOf = ({ text }: Line) =>
    quoted && text.includes('"') ? quotedOne(text) : text.split(delimiter)
  return (lines) => {
    if (!quoted || !lines.every((line) => line.text.includes('"'))) return lines.map(cellsOf)
    // All lines have quotes: one call for the block is several times faster than one for each, and
    // right if it finds one record for each line. Otherwise something is wrong somewhere: line by line.
    try {
      const joined = lines.map((line) => line.text).join('\n')
      const records: string[][] = parse(joined, options)
      if (records.length === lines.length) return records
    } catch {}
    return lines.map(cellsOf)
  }
}

function checkHeader(columns: readonly string[], mapping: Mapping, input: InputFile): void {
  const missing = columnsRead(mapping).filter((column) => !columns.includes(column))
  if (missing.length === 0) return
  throw new WrongUse(
    `${input.path} has no column ${missing.join(', ')}; its header has ${columns.slice(0, 50).join(', ')}`,
  )
}

/** CSV and TSV: the mapping's columns, or those that the first line names. */
function tableMapper(mapping: Mapping, input: InputFile): BlockMapper {
  const isTsv = mapping.format === 'tsv'
  const toCells = createCells(isTsv ? '\t' : ',', mapping.quoted ?? !isTsv)
  const map = createRowMapper(mapping)
  let index: ReadonlyMap<string, number> | undefined
  const setColumns = (columns: readonly string[]) => {
    index = new Map(columns.map((column, i) => [column, i]))
  }
  if (mapping.columns) setColumns(mapping.columns)

  const mapRow = (cells: readonly string[] | undefined, at: ReadonlyMap<string, number>) => {
    if (!cells) return badQuotes
    if (cells.length !== at.size) {
      return reject('column-count', `${cells.length} columns, not ${at.size}`)
    }
    return map((column) => cells[at.get(column) ?? -1])
  }
  return (lines) => {
    let rows = lines
    if (!index) {
      const [header, ...rest] = lines
      const columns = header ? (toCells([header])[0] ?? []).map((column) => column.trim()) : []
      checkHeader(columns, mapping, input)
      setColumns(columns)
      rows = rest
    }
    const at = index ?? new Map()
    const cells = toCells(rows)
    return rows.map((line, i) => ({
      line: line.number,
      text: line.text,
      result: line.tooLong ? tooLong : mapRow(cells[i], at),
    }))
  }
}

/**
 * Reads a file's rows in order, as blocks of at most 1,000. Empty lines are no rows.
 * @param mapping - undefined: each line is a click in JSON form
 * @param onBytes - called with the bytes read from the file each time
 * @throws WrongUse where the header does not have the mapping's columns
 */
export async function* readRows(
  input: InputFile,
  mapping: Mapping | undefined,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<FileRow[]> {
  const isTable = mapping !== undefined && mapping.format !== 'jsonl'
  const table = isTable ? tableMapper(mapping, input) : undefined
  const json = jsonMapper(isTable ? undefined : mapping, input)
  for await (const block of readLines(input, onBytes)) {
    const lines = block.filter((line) => line.text.trim() !== '')
    if (lines.length === 0) continue
    yield table
      ? table(lines)
      : lines.map((line) => ({
          line: line.number,
          text: line.text,
          result: line.tooLong ? tooLong : json(line),
        }))
  }
}
