// Writes judged clicks as a staged aggregate file, as a rebuild would.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { until } from '#platform/wait.ts'
import { jsonColumns } from '#schemas/columns.ts'
import { type JudgedClick, judgedFields } from '#schemas/fields.ts'
import { hourOf } from '#schemas/paths.ts'

/** Where hours are loaded. */
export interface LoadedViews {
  readonly store: OlapStore
  readonly objects: ObjectStore
}

/** Replaces hours, and waits until queries see them. */
export async function showHours(
  store: OlapStore,
  loads: readonly HourLoad[],
  timeoutMs = 120_000,
): Promise<void> {
  await store.replaceHours(loads)
  await until(async () => (await store.loadedHours(loads)).length === loads.length, {
    ...{ timeoutMs, everyMs: 100, what: 'the hours are loaded' },
  })
}

/** Loads the hours of these clicks as one run, and waits until queries see them. */
export async function loadClicks(
  { store, objects }: LoadedViews,
  run: string,
  clicks: readonly JudgedClick[],
  timeoutMs?: number,
): Promise<HourLoad[]> {
  const loads: HourLoad[] = []
  for (const [hour, mine] of Map.groupBy(clicks, (click) => hourOf(click.event_time))) {
    const file = `runs/${run}/${hour}.parquet`
    await stageClicks(objects, file, mine)
    loads.push({ hour, run, files: [file] })
  }
  await showHours(store, loads, timeoutMs)
  return loads
}

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
