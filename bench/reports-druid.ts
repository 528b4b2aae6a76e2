// Reports through the API on Druid, beside the same native query posted straight to it, while judged clicks
// go on coming through Kafka. Needs the servers: `eval "$(npm run -s stack -- env)"`. Half of the hours
// are below the boundary and loaded as a rebuild loads them; above it lies what comes meanwhile.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { readSettings } from '#platform/config.ts'
import { openKafkaEventLog } from '#platform/event-log/kafka.ts'
import { openS3Store } from '#platform/object-store/s3.ts'
import { openDruidStore } from '#platform/olap/druid.ts'
import { createDruidClient } from '#platform/olap/druid-http.ts'
import { compileDruidQuery } from '#platform/olap/druid-query.ts'
import { druidNames } from '#platform/olap/druid-specs.ts'
import { until } from '#platform/wait.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { dropDruid } from '../tests/support/druid.ts'
import { type BenchResult, milliseconds, printResult } from './support/report.ts'
import { askBoth, reportQuestions, showBoth } from './support/report-questions.ts'
import { serversOfEnv } from './support/servers-of-env.ts'
import { feedClicks, startServing } from './support/serving.ts'
import { makeClicks, stageHours } from './support/views.ts'

export interface DruidReportsOptions {
  readonly clicks: number
  readonly hours: number
  readonly times: number
  /** Judged clicks a second meanwhile. */
  readonly rate: number
}

const loadTimeoutMs = 1_800_000

/** Measures. @throws Error where a report and its query differ in their rows */
export async function runDruidReportsBench(options: DruidReportsOptions): Promise<BenchResult> {
  const { clicks, hours, times, rate } = options
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-bench-'))
  const settings = readSettings({ ...serversOfEnv(), CLICKLEDGER_DATA_DIR: dir })
  await using resources = new AsyncDisposableStack()
  resources.defer(() => rmSync(dir, { recursive: true, force: true }))
  const log = await openKafkaEventLog({ settings })
  resources.defer(() => log.close())
  await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
  const objects = await openS3Store({ settings })
  resources.defer(() => objects.close())
  resources.defer(() => dropDruid(settings))
  const store = await openDruidStore({ settings, log, objects })
  resources.defer(() => store.close())
  const boundary = Math.floor(Date.now() / hourMs) * hourMs
  const [start, end] = [boundary - hours * hourMs, boundary + 2 * hourMs]
  const db = await DuckDBInstance.create(join(dir, 'plain.duckdb'))
  const plain = await db.connect()
  resources.defer(() => {
    plain.closeSync()
    db.closeSync()
  })
  await makeClicks(plain, start, hours, Math.ceil(clicks / hours))
  const loads = await stageHours(plain, objects, start, boundary, dir)
  const begun = performance.now()
  await store.replaceHours(loads)
  await until(async () => (await store.loadedHours(loads)).length === loads.length, {
    ...{ timeoutMs: loadTimeoutMs, everyMs: 500, what: 'Druid shows the hours' },
  })
  const loadMs = performance.now() - begun
  await until(async () => !(await store.compactBefore(boundary)), {
    ...{ timeoutMs: loadTimeoutMs, everyMs: 500, what: 'the weeks are joined' },
  })
  const joinMs = performance.now() - begun - loadMs
  const serving = await startServing(store, settings, boundary)
  resources.defer(() => serving.close())
  const client = createDruidClient(settings)
  resources.defer(() => client.close())
  const names = druidNames(settings)
  const stop = feedClicks(log, rate)
  const figures: Record<string, string> = {}
  for (const question of reportQuestions({ start, end, boundary })) {
    const direct = async (query: typeof question.query) => {
      return (await client.native(compileDruidQuery(query, names), { timeoutMs: 60_000 })).length
    }
    const { through, straight, rows } = await askBoth(serving, question, direct, times)
    if (Math.abs(rows.api - rows.direct) > 2) throw new Error(`${question.label}: rows differ`)
    figures[`${question.label} (${rows.api} rows)`] = showBoth(through, straight)
  }
  figures['judged clicks that came meanwhile'] = (await stop()).toLocaleString('en')
  figures['hours loaded in'] = milliseconds(loadMs)
  figures['weeks joined in'] = milliseconds(joinMs)
  return {
    name: `Reports on Druid: ${clicks.toLocaleString('en')} clicks below the boundary`,
    figures,
  }
}

if (import.meta.main) {
  const [clicks = 10_000_000, hours = 24, times = 40, rate = 1_000] = process.argv
    .slice(2)
    .map(Number)
  printResult(await runDruidReportsBench({ clicks, hours, times, rate }))
}
