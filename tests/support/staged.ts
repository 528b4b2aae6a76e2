// Clicks for the OLAP store: judged ones by way of the log, as the speed layer gives them, and staged
// aggregate files, as a rebuild writes them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { reaches } from '#core/offsets.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { HourLoad, OlapStore } from '#platform/olap/port.ts'
import { until } from '#platform/wait.ts'
import { jsonColumns } from '#schemas/columns.ts'
import { type JudgedClick, judgedFields } from '#schemas/fields.ts'
import { hourOf } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'

/** Where hours are loaded. */
export interface LoadedViews {
  readonly store: OlapStore
  readonly objects: ObjectStore
}

/**
 * Appends judged clicks to the log, and waits until queries see them.
 * @param options - `now` is the time of the records: a log drops old ones, however young its topic
 * @returns the ends of the log that they see
 */
export async function showJudged(
  { store, log }: { readonly store: Pick<OlapStore, 'realtime'>; readonly log: EventLog },
  clicks: readonly JudgedClick[],
  { now = Date.now() }: { now?: number } = {},
): Promise<readonly number[]> {
  await log.append(
    topics.judged.name,
    clicks.map((click) => ({
      key: click.event_id,
      timestamp: now,
      value: Buffer.from(JSON.stringify(click)),
    })),
  )
  const ends = await log.endOffsets(topics.judged.name)
  await until(async () => reaches((await store.realtime()).applied, ends), {
    what: 'the speed view has everything',
  })
  return ends
}

/** Replaces hours, and waits until queries see them. */
export async function showHours(store: OlapStore, loads: readonly HourLoad[]): Promise<void> {
  await store.replaceHours(loads)
  await until(async () => (await store.loadedHours(loads)).length === loads.length, {
    ...{ everyMs: 100, what: 'the hours are loaded' },
  })
}

/** Loads the hours of these clicks as one run, and waits until queries see them. */
export async function loadClicks(
  { store, objects }: LoadedViews,
  run: string,
  clicks: readonly JudgedClick[],
): Promise<HourLoad[]> {
  const loads: HourLoad[] = []
  for (const [hour, mine] of Map.groupBy(clicks, (click) => hourOf(click.event_time))) {
    const file = `runs/${run}/${hour}.parquet`
    await stageClicks(objects, file, mine)
    loads.push({ hour, run, files: [file] })
  }
  await showHours(store, loads)
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
