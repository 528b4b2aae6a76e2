// The same rebuild by both engines, on the same files with the same result: DuckDB on worker threads,
// one for each core, and Apache Spark local[2]. CPU time stands beside elapsed time, because on a shared
// machine only it compares; Spark's includes its start. `--real`: clicks multiplied from real logs.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DuckDBInstance } from '@duckdb/node-api'
import { Piscina } from 'piscina'
import { aggregateColumns } from '#core/minute-aggregates.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { dataPaths, openCatalogue, openObjectStore } from '#platform/stack.ts'
import { planRebuild, type RebuildTask } from '../batch-layer/rebuild/plan.ts'
import type { StagedHour, StageInput } from '../batch-layer/rebuild/stage-worker.ts'
import { stageWithSpark } from '../batch-layer/spark/spark-stage.ts'
import { openPython } from '../interop/python.ts'
import { type ArchiveSource, type MadeArchive, madeUp, makeArchive } from './support/archive.ts'
import { realSource } from './support/real-source.ts'
import { type BenchResult, perSecond, printResult, ratio } from './support/report.ts'

const cores = 2

interface Run {
  readonly staged: readonly StagedHour[]
  readonly ms: number
  readonly cpuMs: number
}

async function onWorkers(settings: Settings, tasks: readonly RebuildTask[]): Promise<Run> {
  const pool = new Piscina<StageInput, StagedHour[]>({
    filename: new URL('../batch-layer/rebuild/stage-worker.ts', import.meta.url).href,
    maxThreads: cores,
  })
  const begun = performance.now()
  const cpu = process.cpuUsage()
  const runs = tasks.map((task) =>
    pool.run({ runId: 'workers', task, settings }, { name: 'stageTask' }),
  )
  const staged = (await Promise.all(runs)).flat()
  const { user, system } = process.cpuUsage(cpu)
  const ms = performance.now() - begun
  await pool.destroy()
  return { staged, ms, cpuMs: (user + system) / 1_000 }
}

/** A spark-submit that leaves the CPU time of all its processes in a file. */
function timed(program: string, dir: string): { program: string; cpuMs: () => number } {
  const [path, times] = [join(dir, 'spark-submit'), join(dir, 'times')]
  writeFileSync(path, `#!/bin/sh\n'${program}' "$@"\ncode=$?\ntimes > '${times}'\nexit $code\n`)
  chmodSync(path, 0o755)
  const cpuMs = () => {
    const [, children = ''] = readFileSync(times, 'utf8').trim().split('\n')
    const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)]
    return parts.reduce((sum, [, min, s]) => sum + (Number(min) * 60 + Number(s)) * 1_000, 0)
  }
  return { program: path, cpuMs }
}

async function onSpark(settings: Settings, tasks: readonly RebuildTask[]): Promise<Run> {
  const programs = (await openPython()).programs
  process.env.PYSPARK_PYTHON ??= join(programs, 'python')
  const dir = join(settings.CLICKLEDGER_DATA_DIR, 'timed')
  mkdirSync(dir)
  const { program, cpuMs } = timed(join(programs, 'spark-submit'), dir)
  const objects = await openObjectStore(settings)
  const begun = performance.now()
  const staged = await stageWithSpark({
    settings: {
      ...settings,
      CLICKLEDGER_SPARK_SUBMIT: program,
      CLICKLEDGER_SPARK_MASTER: `local[${cores}]`,
      CLICKLEDGER_REBUILD_WORKERS: 2,
    },
    ...{ objects, runId: 'spark', tasks, logger: createLogger('bench', 'silent') },
    signal: new AbortController().signal,
    onStaged: async () => {},
  })
  const ms = performance.now() - begun
  await objects.close()
  return { staged, ms, cpuMs: cpuMs() }
}

/** Says the same for the same aggregate rows, in whatever order; members of lists in any order. */
async function digest(settings: Settings, staged: readonly StagedHour[]): Promise<string> {
  const db = await DuckDBInstance.create(':memory:', { threads: String(cores) })
  const connection = await db.connect()
  const root = dataPaths(settings).objects
  const paths = staged.flatMap(({ files }) => files.map((file) => `'${join(root, file)}'`))
  const columns = aggregateColumns.map(({ name, sqlType }) =>
    sqlType.endsWith('[]') ? `list_sort(${name})` : name,
  )
  const found = await connection.runAndReadAll(
    `SELECT count(*), sum(hash(${columns.join(', ')}) % 1000000007)::VARCHAR
     FROM read_parquet([${paths.join(', ')}], hive_partitioning = false)`,
  )
  connection.closeSync()
  db.closeSync()
  const counts = staged
    .map((h) => [h.hour, h.valid, h.duplicate, h.invalid, h.copies].join(' '))
    .sort()
  return JSON.stringify([found.getRowsJson(), counts])
}

async function tasksOf({ settings, hours }: MadeArchive): Promise<readonly RebuildTask[]> {
  const catalogue = await openCatalogue(settings)
  const plan = await planRebuild(catalogue, {
    runId: 'bench',
    hours: hours.map((hour) => ({ hour, ruleSet: defaultRuleSet })),
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
  })
  await catalogue.close()
  return plan.tasks
}

const rates = (clicks: number, { ms, cpuMs }: Run) =>
  `${perSecond(clicks, cpuMs)} of CPU time, ${perSecond(clicks, ms)} elapsed (${(ms / 1_000).toFixed(0)} s)`

/** @throws Error where the engines differ */
export async function runSparkBench(
  hours: number,
  clicksPerHour: number,
  source: ArchiveSource = madeUp,
): Promise<BenchResult> {
  // Something for each worker to do.
  const share = Math.ceil(hours / cores) * clicksPerHour
  const usual = readSettings({}).CLICKLEDGER_REBUILD_TASK_CLICKS
  const env = { CLICKLEDGER_REBUILD_TASK_CLICKS: String(Math.min(usual, share)) }
  const archive = await makeArchive(hours, clicksPerHour, env, source)
  try {
    const { settings, clicks } = archive
    const tasks = await tasksOf(archive)
    const workers = await onWorkers(settings, tasks)
    const spark = await onSpark(settings, tasks)
    const [ours, theirs] = [
      await digest(settings, workers.staged),
      await digest(settings, spark.staged),
    ]
    if (ours !== theirs) throw new Error(`the engines differ:\n${ours}\n${theirs}`)
    return {
      name: `Rebuild by two engines: ${clicks.toLocaleString('en')} ${source.what} of ${hours} hours, ${tasks.length} tasks`,
      figures: {
        [`DuckDB on ${cores} worker threads`]: rates(clicks, workers),
        [`Spark local[${cores}], its start included`]: rates(clicks, spark),
        'Spark / DuckDB, by CPU time': ratio(spark.cpuMs, workers.cpuMs),
        'Spark / DuckDB, elapsed': ratio(spark.ms, workers.ms),
        'rows and counts of both': 'the same',
      },
    }
  } finally {
    archive.remove()
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { real: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [hours = 10, clicksPerHour = 500_000] = positionals.map(Number)
  printResult(await runSparkBench(hours, clicksPerHour, values.real ? realSource() : madeUp))
}
