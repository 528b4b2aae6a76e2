// Writes judged clicks as a staged aggregate file, as a rebuild would.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { jsonColumns } from '#schemas/columns.ts'
import { type JudgedClick, judgedFields } from '#schemas/fields.ts'

/** A click with nothing in it: texts are empty, numbers zero. */
export const blankClick = Object.fromEntries(
  judgedFields.map((f) => [f.name, f.type === 'string' ? '' : 0]),
) as unknown as JudgedClick

/** Puts the minute aggregates of these clicks as one Parquet object. */
export async function stageClicks(
  objects: ObjectStore,
  key: string,
  clicks: readonly JudgedClick[],
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-staged-'))
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  try {
    const [input, output] = [join(dir, 'in.jsonl'), join(dir, 'out.parquet')]
    writeFileSync(input, clicks.map((click) => `${JSON.stringify(click)}\n`).join(''))
    await connection.run(
      `COPY (${aggregateSelectSql} FROM read_json('${input}', format = 'newline_delimited',
        columns = ${jsonColumns(judgedFields)}) ${aggregateGroupSql}) TO '${output}' (FORMAT parquet)`,
    )
    await objects.put(key, { path: output })
  } finally {
    connection.closeSync()
    db.closeSync()
    rmSync(dir, { recursive: true, force: true })
  }
}
