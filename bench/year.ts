// A year by month out of the embedded batch view, which reads days, beside the same question put to the
// minutes that those days were made of. The answers must be equal. Clicks come from few ads and
// countries: rows by day are only fewer where clicks have dimensions in common.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import type { ReportQuery } from '#core/report-query.ts'
import { createClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { openDuckDbStore } from '#platform/olap/duckdb.ts'
import { grainTables } from '#platform/olap/duckdb-query.ts'
import { aggregateTableSql } from '#platform/olap/duckdb-sql.ts'
import { createTables } from '#platform/olap/duckdb-views.ts'
import { dataPaths, openEventLog } from '#platform/stack.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { topics } from '#schemas/topics.ts'
import { type BenchResult, milliseconds, printResult, quantile, ratio } from './support/report.ts'

const [start, end] = [Date.UTC(2025, 0, 1), Date.UTC(2026, 0, 1)]
const [ads, countries, visitors] = [20, 5, 50_000]
const month = `epoch_ms(date_trunc('month', make_timestamp(minute * 1000)))`

export interface YearBenchOptions {
  readonly clicks: number
  readonly times: number
}

/** Fills the batch view of a store that is not open. @returns rows by table */
async function fill(connection: DuckDBConnection, clicks: number) {
  const column: Record<string, string> = {
    ad_id: `'ad-' || hash(n) % ${ads}`,
    advertiser_id: `'adv-' || hash(n) % ${ads} % 4`,
    country: `'c' || hash(n + 7) % ${countries}`,
  }
  const dimensions = dimensionNames.map((name) => `${column[name] ?? "''"} AS ${name}`).join(', ')
  const step = (end - start) / clicks
  for (const sql of aggregateTableSql(grainTables.minute)) await connection.run(sql)
  await connection.run(
    `INSERT INTO ${grainTables.minute} BY NAME ${aggregateSelectSql} FROM (
       SELECT ${start} + CAST(n * ${step} AS BIGINT) AS event_time, ${dimensions}, '' AS ip_hash,
         'v' || hash(n + 3) % ${visitors} AS visitor,
         CASE WHEN hash(n + 5) % 10 = 0 THEN 'duplicate' ELSE 'valid' END AS status
       FROM range(${clicks}) r(n)) ${aggregateGroupSql}`,
  )
  await connection.run(`CREATE TABLE plain.minutes AS FROM ${grainTables.minute}`)
  const begun = performance.now()
  await createTables(connection)
  const rolledMs = performance.now() - begun
  const rows: number[] = []
  for (const table of Object.values(grainTables)) {
    const counted = await connection.runAndReadAll(`SELECT count(*) FROM ${table}`)
    rows.push(Number(counted.getRows()[0]?.[0]))
  }
  return { rows, rolledMs }
}

async function openFilled(settings: Settings) {
  const clock = createClock()
  const log = await openEventLog(settings, clock.now)
  await log.ensureTopics(Object.values(topics), settings.CLICKLEDGER_PARTITIONS)
  await log.close()
  return openDuckDbStore({
    ...{ settings, clock },
    onFailure: (error) => {
      throw error
    },
  })
}

const questions = [
  {
    label: 'a year by month, clicks by country',
    query: { dimensions: ['country'], metrics: ['click_count'] },
    plain: `SELECT ${month}, country, sum(click_count) FROM minutes GROUP BY ALL`,
  },
  {
    label: 'a year by month, visitors',
    query: { metrics: ['unique_user_count'] },
    plain: `SELECT m, count(DISTINCT v) FROM (SELECT ${month} AS m, unnest(visitors) AS v FROM minutes) GROUP BY 1`,
  },
] as const satisfies readonly { label: string; query: Partial<ReportQuery>; plain: string }[]

/** Measures both questions. @throws Error where an answer differs */
export async function runYearBench({ clicks, times }: YearBenchOptions): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-bench-'))
  const settings = readSettings({ CLICKLEDGER_DATA_DIR: dir })
  const limits = { threads: '2', memory_limit: `${settings.CLICKLEDGER_OLAP_MEMORY}B` }
  const db = await DuckDBInstance.create(join(dir, 'plain.duckdb'), limits)
  const plain = await db.connect()
  const { olap } = dataPaths(settings)
  mkdirSync(olap, { recursive: true })
  await plain.run(`ATTACH '${join(olap, 'views.duckdb')}' AS views; USE views`)
  const { rows, rolledMs } = await fill(plain, clicks)
  await plain.run('USE plain; DETACH views')
  const store = await openFilled(settings)
  const figures: Record<string, string> = {}
  for (const { label, query, plain: sql } of questions) {
    const all = { dimensions: [], filters: [], limit: 10_000 }
    const time = { start, end, boundary: end, granularity: 'month', timeZone: 'UTC' } as const
    const [byDay, byMinute]: [number[], number[]] = [[], []]
    for (let i = 0; i < times; i++) {
      let begun = performance.now()
      const answer = await store.query({ ...all, ...time, ...query })
      byDay.push(performance.now() - begun)
      begun = performance.now()
      const expected = (await plain.runAndReadAll(sql)).getRows().map((row) => row.join(' '))
      byMinute.push(performance.now() - begun)
      const got = answer.map(({ time: at, dimensions, metrics }) =>
        [at, ...Object.values(dimensions), ...Object.values(metrics)].join(' '),
      )
      if (got.sort().join('\n') !== expected.sort().join('\n')) {
        throw new Error(
          `${label}: the answers differ: ${got.slice(0, 2)} | ${expected.slice(0, 2)}`,
        )
      }
    }
    const [fast, slow] = [quantile(byDay, 0.5), quantile(byMinute, 0.5)]
    figures[label] =
      `p50 ${milliseconds(fast)} from days; ${milliseconds(slow)} from minutes; ratio ${ratio(fast, slow)}`
  }
  await store.close()
  plain.closeSync()
  db.closeSync()
  rmSync(dir, { recursive: true, force: true })
  return {
    name: `A year by month: ${clicks.toLocaleString('en')} made-up clicks of ${ads} ads in ${countries} countries`,
    figures: {
      ...figures,
      'rows by minute, hour, day': rows.map((n) => n.toLocaleString('en')).join(', '),
      'hours and days made of the minutes in': milliseconds(rolledMs),
    },
  }
}

if (import.meta.main) {
  const [clicks = 2_000_000, times = 15] = process.argv.slice(2).map(Number)
  printResult(await runYearBench({ clicks, times }))
}
