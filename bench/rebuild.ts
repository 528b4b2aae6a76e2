// How fast archived clicks are rebuilt (judged under the default rules, aggregated, staged), one
// worker with one DuckDB thread, beside plain DuckDB SQL that only aggregates the same files.
// `--real`: clicks multiplied from real logs.
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { openCatalogue } from '#platform/stack.ts'
import { planRebuild } from '../batch-layer/rebuild/plan.ts'
import { stageTask } from '../batch-layer/rebuild/stage-worker.ts'
import { madeUp, makeArchive } from './support/archive.ts'
import { realSource } from './support/real-source.ts'
import { type BenchResult, perSecond, printResult, ratio } from './support/report.ts'

export interface RebuildBenchOptions {
  readonly hours: number
  readonly clicksPerHour: number
  /** Hours that are archived before those: what rules look back to. */
  readonly history: number
  /** Clicks multiplied from the real logs instead of made-up ones. */
  readonly isReal?: boolean
}

interface Took {
  readonly ms: number
  readonly cpuMs: number
}

/** CPU time beside elapsed time: on a shared machine only the former says what a core can do. */
function stopwatch(): () => Took {
  const begun = performance.now()
  const cpu = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { ms: performance.now() - begun, cpuMs: (user + system) / 1000 }
  }
}

async function plainAggregation(paths: readonly string[], out: string): Promise<Took> {
  const db = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await db.connect()
  const list = paths.map((path) => `'${path}'`).join(', ')
  const took = stopwatch()
  await connection.run(
    `COPY (${aggregateSelectSql} FROM (SELECT *, 'valid' AS status FROM read_parquet([${list}]))
     ${aggregateGroupSql}) TO '${out}' (FORMAT parquet, COMPRESSION zstd)`,
  )
  const plain = took()
  connection.closeSync()
  db.closeSync()
  return plain
}

/** Makes the peak begin anew, without what making the clicks took; only Linux can. */
async function forgetPeakMemory(): Promise<void> {
  await writeFile('/proc/self/clear_refs', '5').catch(() => {})
}

async function peakMemory(): Promise<string> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kib = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS)
  return `${Math.round(kib / 1024)} MiB`
}

const rates = (clicks: number, { ms, cpuMs }: Took): string =>
  `${perSecond(clicks, cpuMs)} of CPU time, ${perSecond(clicks, ms)} elapsed`

export interface RebuildBench {
  readonly result: BenchResult
  readonly clicks: number
  /** The same, unless clicks were lost: valid, duplicate, invalid and copies together. */
  readonly judged: number
}

export async function runRebuildBench(options: RebuildBenchOptions): Promise<RebuildBench> {
  // The settings of the caller's environment that a rebuild obeys.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name.startsWith('CLICKLEDGER_REBUILD_')),
  ) as Record<string, string>
  const { hours, clicksPerHour, history } = options
  const source = options.isReal ? realSource() : madeUp
  const archive = await makeArchive(history + hours, clicksPerHour, env, source)
  const catalogue = await openCatalogue(archive.settings)
  try {
    const { settings } = archive
    const plan = await planRebuild(catalogue, {
      runId: 'bench',
      hours: archive.hours.slice(history).map((hour) => ({ hour, ruleSet: defaultRuleSet })),
      taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    })
    await forgetPeakMemory()
    const took = stopwatch()
    const planned = plan.tasks.flatMap((task) => task.hours)
    const clicks = planned.reduce((sum, hour) => sum + hour.clicks, 0)
    let judged = 0
    for (const task of plan.tasks) {
      const staged = await stageTask({ runId: plan.runId, task, settings })
      for (const h of staged) judged += h.valid + h.duplicate + h.invalid + h.copies
    }
    const rebuilt = took()
    const peak = await peakMemory()
    const plain = await plainAggregation(
      archive.paths.slice(-planned.flatMap(({ files }) => files).length),
      `${settings.CLICKLEDGER_DATA_DIR}/plain.parquet`,
    )
    const result: BenchResult = {
      name: `Rebuild: ${clicks.toLocaleString('en')} ${source.what}, ${plan.tasks.length} tasks, ${history} hours before them, one core`,
      figures: {
        'rebuilt (judged, aggregated, staged)': rates(judged, rebuilt),
        'plain DuckDB SQL, aggregation only': rates(judged, plain),
        'rebuild / plain, by CPU time': ratio(plain.cpuMs, rebuilt.cpuMs),
        'clicks lost': String(clicks - judged),
        [`peak memory of the process (${settings.CLICKLEDGER_REBUILD_MEMORY / 2 ** 20} MiB for the worker)`]:
          peak,
      },
    }
    return { result, judged, clicks }
  } finally {
    await catalogue.close()
    archive.remove()
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { real: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [hours = 24, clicksPerHour = 500_000, history = 0] = positionals.map(Number)
  const isReal = values.real
  printResult((await runRebuildBench({ hours, clicksPerHour, history, isReal })).result)
}
