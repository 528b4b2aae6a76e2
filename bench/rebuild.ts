// How fast archived clicks are rebuilt (judged under the default rules, aggregated, staged), one
// worker with one DuckDB thread, beside plain DuckDB SQL that only aggregates the same files.
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { openCatalogue } from '#platform/stack.ts'
import { planRebuild } from '../batch-layer/rebuild/plan.ts'
import { stageTask } from '../batch-layer/rebuild/stage-worker.ts'
import { makeArchive } from './support/archive.ts'
import { type BenchResult, perSecond, printResult, ratio } from './support/report.ts'

export interface RebuildBenchOptions {
  readonly hours: number
  readonly clicksPerHour: number
}

async function plainAggregation(paths: readonly string[], out: string): Promise<number> {
  const db = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await db.connect()
  const list = paths.map((path) => `'${path}'`).join(', ')
  const begun = performance.now()
  await connection.run(
    `COPY (${aggregateSelectSql} FROM (SELECT *, 'valid' AS status FROM read_parquet([${list}]))
     ${aggregateGroupSql}) TO '${out}' (FORMAT parquet, COMPRESSION zstd)`,
  )
  const ms = performance.now() - begun
  connection.closeSync()
  db.closeSync()
  return ms
}

export async function runRebuildBench(options: RebuildBenchOptions): Promise<BenchResult> {
  const archive = await makeArchive(options.hours, options.clicksPerHour)
  const catalogue = await openCatalogue(archive.settings)
  try {
    const { settings } = archive
    const plan = await planRebuild(catalogue, {
      runId: 'bench',
      hours: archive.hours.map((hour) => ({ hour, ruleSet: defaultRuleSet })),
      taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    })
    const begun = performance.now()
    let judged = 0
    for (const task of plan.tasks) {
      const staged = await stageTask({ runId: plan.runId, task, settings })
      for (const h of staged) judged += h.valid + h.duplicate + h.invalid + h.copies
    }
    const ms = performance.now() - begun
    if (judged !== archive.clicks) throw new Error(`judged ${judged} of ${archive.clicks} clicks`)
    const plainMs = await plainAggregation(
      archive.paths,
      `${settings.CLICKLEDGER_DATA_DIR}/plain.parquet`,
    )
    return {
      name: `Rebuild: ${archive.clicks.toLocaleString('en')} made-up clicks, ${plan.tasks.length} tasks, one core`,
      figures: {
        'rebuilt (judged, aggregated, staged)': perSecond(judged, ms),
        'plain DuckDB SQL, aggregation only': perSecond(judged, plainMs),
        'rebuild / plain': ratio(plainMs, ms),
        'peak memory of the process': `${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`,
      },
    }
  } finally {
    await catalogue.close()
    archive.remove()
  }
}

if (import.meta.main) {
  const [hours = 24, clicksPerHour = 500_000] = process.argv.slice(2).map(Number)
  printResult(await runRebuildBench({ hours, clicksPerHour }))
}
