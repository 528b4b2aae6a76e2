// How fast archived clicks are rebuilt (judged under the default rules, aggregated, staged), one
// worker with one DuckDB thread, beside plain DuckDB SQL that only aggregates the same files.
// `--real`: clicks multiplied from real logs. `--growth [days clicksPerHour]`: many days beside one.
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { aggregateGroupSql, aggregateSelectSql } from '#core/minute-aggregates.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import { openCatalogue } from '#platform/stack.ts'
import { planRebuild } from '../batch-layer/rebuild/plan.ts'
import { stageTask } from '../batch-layer/rebuild/stage-worker.ts'
import { type MadeArchive, madeUp, makeArchive } from './support/archive.ts'
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

async function peakMemoryMiB(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kib = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS)
  return Math.round(kib / 1024)
}

const rates = (clicks: number, { ms, cpuMs }: Took): string =>
  `${perSecond(clicks, cpuMs)} of CPU time, ${perSecond(clicks, ms)} elapsed`

export interface RebuildBench {
  readonly result: BenchResult
  readonly clicks: number
  /** The same, unless clicks were lost: valid, duplicate, invalid and copies together. */
  readonly judged: number
}

interface Rebuilt extends Took {
  readonly clicks: number
  readonly judged: number
  readonly tasks: number
  readonly files: number
  readonly peakMiB: number
}

/** Plans and stages hours of an archive, one task after the other. */
async function rebuild(
  catalogue: Catalogue,
  settings: Settings,
  hours: readonly number[],
): Promise<Rebuilt> {
  const plan = await planRebuild(catalogue, {
    runId: 'bench',
    hours: hours.map((hour) => ({ hour, ruleSet: defaultRuleSet })),
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
  })
  await forgetPeakMemory()
  const took = stopwatch()
  let judged = 0
  for (const task of plan.tasks) {
    const staged = await stageTask({ runId: plan.runId, task, settings })
    for (const h of staged) judged += h.valid + h.duplicate + h.invalid + h.copies
  }
  const planned = plan.tasks.flatMap((task) => task.hours)
  return {
    ...took(),
    ...{ judged, tasks: plan.tasks.length, peakMiB: await peakMemoryMiB() },
    clicks: planned.reduce((sum, hour) => sum + hour.clicks, 0),
    files: planned.flatMap(({ files }) => files).length,
  }
}

/** The settings of the caller's environment that a rebuild obeys. */
const settingsOfEnv = () =>
  Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name.startsWith('CLICKLEDGER_REBUILD_')),
  ) as Record<string, string>

interface Opened {
  readonly archive: MadeArchive
  readonly catalogue: Catalogue
  /** What its clicks are. */
  readonly what: string
}

/** Makes an archive, works on it, and takes it away again. */
async function withArchive<T>(
  made: { readonly hours: number; readonly clicksPerHour: number; readonly isReal: boolean },
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const source = made.isReal ? realSource() : madeUp
  const archive = await makeArchive(made.hours, made.clicksPerHour, settingsOfEnv(), source)
  const catalogue = await openCatalogue(archive.settings)
  try {
    return await work({ archive, catalogue, what: source.what })
  } finally {
    await catalogue.close()
    archive.remove()
  }
}

export function runRebuildBench(options: RebuildBenchOptions): Promise<RebuildBench> {
  const { hours, clicksPerHour, history, isReal = false } = options
  const made = { hours: history + hours, clicksPerHour, isReal }
  return withArchive(made, async ({ archive, catalogue, what }) => {
    const { settings } = archive
    const rebuilt = await rebuild(catalogue, settings, archive.hours.slice(history))
    const { clicks, judged } = rebuilt
    const plain = await plainAggregation(
      archive.paths.slice(-rebuilt.files),
      `${settings.CLICKLEDGER_DATA_DIR}/plain.parquet`,
    )
    const result: BenchResult = {
      name: `Rebuild: ${clicks.toLocaleString('en')} ${what}, ${rebuilt.tasks} tasks, ${history} hours before them, one core`,
      figures: {
        'rebuilt (judged, aggregated, staged)': rates(judged, rebuilt),
        'plain DuckDB SQL, aggregation only': rates(judged, plain),
        'rebuild / plain, by CPU time': ratio(plain.cpuMs, rebuilt.cpuMs),
        'clicks lost': String(clicks - judged),
        [`peak memory of the process (${settings.CLICKLEDGER_REBUILD_MEMORY / 2 ** 20} MiB for the worker)`]: `${rebuilt.peakMiB} MiB`,
      },
    }
    return { result, judged, clicks }
  })
}

/**
 * Days rebuilt one by one, and all of them at once, in turns on the same machine: how time and memory
 * grow with the clicks. Each day has a day before it that rules look back to.
 */
export function runGrowthBench(
  days: number,
  clicksPerHour: number,
  isReal = false,
): Promise<BenchResult> {
  const made = { hours: (days + 1) * 24, clicksPerHour, isReal }
  return withArchive(made, async ({ archive: { settings, hours }, catalogue, what }) => {
    const each: Rebuilt[] = []
    const day = async (n: number) => {
      each.push(await rebuild(catalogue, settings, hours.slice(n * 24, (n + 1) * 24)))
    }
    const half = Math.ceil(days / 2)
    for (let n = 1; n <= half; n++) await day(n)
    const all = await rebuild(catalogue, settings, hours.slice(24))
    for (let n = half + 1; n <= days; n++) await day(n)
    const mean = (of: (one: Rebuilt) => number) => each.reduce((sum, o) => sum + of(o), 0) / days
    const peak = Math.max(...each.map(({ peakMiB }) => peakMiB))
    return {
      name: `Rebuild of ${days} days, ${all.clicks.toLocaleString('en')} ${what}, and of each of them alone`,
      figures: {
        'all at once': rates(all.judged, all),
        'a day alone, in the mean': rates(
          mean(({ judged }) => judged),
          { ms: mean(({ ms }) => ms), cpuMs: mean(({ cpuMs }) => cpuMs) },
        ),
        [`CPU time for ${days} times the clicks`]: ratio(
          all.cpuMs,
          mean(({ cpuMs }) => cpuMs),
        ),
        'peak memory': `${all.peakMiB} MiB, of a day alone ${peak} MiB: ${ratio(all.peakMiB, peak)}`,
      },
    }
  })
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: {
      real: { type: 'boolean', default: false },
      growth: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const isReal = values.real
  if (values.growth) {
    const [days = 10, clicksPerHour = 200_000] = positionals.map(Number)
    printResult(await runGrowthBench(days, clicksPerHour, isReal))
  } else {
    const [hours = 24, clicksPerHour = 500_000, history = 0] = positionals.map(Number)
    printResult((await runRebuildBench({ hours, clicksPerHour, history, isReal })).result)
  }
}
