// Rows as Parquet, one row group for each lot of rows, so that no more than that is ever held. Counts are
// 64-bit integers; `time` is an instant, and the file's key "clickledger" has what JSON has in `meta`.
import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { isDimension } from '#schemas/dimensions.ts'
import type { AnswerRow } from './answer.ts'
import type { FileWriter } from './export.ts'

type Kind = 'time' | 'text' | 'count'

function kindOf(column: string): Kind {
  if (column === 'time') return 'time'
  return isDimension(column) || column.endsWith('provenance') ? 'text' : 'count'
}

const types = {
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  count: { type: 'INT64' },
} as const

const convert: Record<Kind, (value: string | number | undefined) => unknown> = {
  time: (value) => new Date(value ?? 0),
  text: (value) => String(value ?? ''),
  count: (value) => BigInt(Math.round(Number(value ?? 0))),
}

export function createParquetWriter(columns: readonly string[], meta: unknown): FileWriter {
  const bytes = new ByteWriter()
  const leaves = columns.map((name) => ({
    ...{ name, repetition_type: 'REQUIRED' as const },
    ...types[kindOf(name)],
  }))
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'clicks', num_children: columns.length }, ...leaves],
    kvMetadata: [{ key: 'clickledger', value: JSON.stringify(meta) }],
    createdBy: 'clickledger',
  })
  const taken = () => {
    const chunk = Buffer.from(bytes.getBytes())
    bytes.index = 0
    return chunk
  }
  return {
    begin: taken,
    rows(rows: readonly AnswerRow[]) {
      const columnData = columns.map((name) => {
        const change = convert[kindOf(name)]
        return { name, data: rows.map((row) => change(row[name])), offsetIndex: false }
      })
      writer.write({ columnData, rowGroupSize: Math.max(1, rows.length) })
      return taken()
    },
    end() {
      writer.finish()
      return taken()
    },
  }
}
