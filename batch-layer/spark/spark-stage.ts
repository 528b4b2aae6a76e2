// Stages a rebuild plan on Apache Spark: the same raw files in, the same staged rows out as from
// ../rebuild/stage-worker.ts. In S3 Spark writes to the bucket itself; into a directory it does not,
// because only the object store makes what it holds durable before it is recorded.
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Settings } from '#platform/config.ts'
import type { Logger } from '#platform/log.ts'
import { objectPrefix } from '#platform/object-store/key.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { dataPaths } from '#platform/stack.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourPath, stagedPath, verdictsName } from '#schemas/paths.ts'
import type { RebuildTask } from '../rebuild/plan.ts'
import type { StagedHour } from '../rebuild/stage-worker.ts'
import { planFrame, type SparkPlaces, type SparkPlan, sparkTask } from './spark-plan.ts'
import { type DriverHour, runsHere, submit } from './spark-submit.ts'

export interface SparkStageOptions {
  readonly settings: Settings
  readonly objects: ObjectStore
  readonly runId: string
  readonly tasks: readonly RebuildTask[]
  /** Ends Spark. */
  readonly signal: AbortSignal
  readonly logger: Logger
  /** Called as each task is staged, one call at a time; where it throws, staging ends. */
  onStaged(staged: readonly StagedHour[]): Promise<void>
}

/** In S3 Spark reads and writes the bucket. */
function bucketPlaces(settings: Settings, runId: string, attempt: string): SparkPlaces {
  const at = (key: string) =>
    `s3a://${settings.CLICKLEDGER_S3_BUCKET}/${objectPrefix(settings)}${key}`
  const folderOf = (hour: number) => stagedPath(runId, hour, '').replace(/\/$/, '')
  return {
    raw: async (key) => at(key),
    target: (hour) => at(folderOf(hour)),
    // Beside the hours: a folder that is left empty would be an object.
    scratch: (task) => at(`runs/${runId}/spark-${attempt}-${task}`),
  }
}

/** In a directory it reads the objects' files, and writes to scratch. */
function directoryPlaces(objects: ObjectStore, dir: string): SparkPlaces {
  const at = (path: string) => `file://${resolve(path)}`
  return {
    raw: async (key) => at(await objects.localPath(key)),
    target: (hour) => at(join(dir, 'staged', hourPath(hour))),
    scratch: (task) => at(join(dir, `task-${task}`)),
  }
}

function refuseUnshared(settings: Settings): void {
  if (settings.CLICKLEDGER_S3_BUCKET !== '' || runsHere(settings)) return
  throw new ClickledgerError(
    'invalid-settings',
    `CLICKLEDGER_SPARK_MASTER is "${settings.CLICKLEDGER_SPARK_MASTER}", but the archive is a directory of this machine, which other machines cannot read. Set CLICKLEDGER_S3_BUCKET, or CLICKLEDGER_SPARK_MASTER to local[*].`,
  )
}

/** Puts what Spark left in scratch for one hour into the store. */
async function putHour(
  objects: ObjectStore,
  runId: string,
  dir: string,
  { hour, files }: DriverHour,
): Promise<void> {
  const folder = join(dir, 'staged', hourPath(hour))
  for (const name of [...files, verdictsName]) {
    await objects.put(stagedPath(runId, hour, name), { path: join(folder, name) })
  }
  await rm(folder, { recursive: true, force: true })
}

/** The hours of a task in their order, with those that Spark had nothing to do for. */
function stagedHours(
  { ruleSet, hours }: RebuildTask,
  runId: string,
  done: readonly DriverHour[],
): StagedHour[] {
  const nothing = { files: [], valid: 0, duplicate: 0, invalid: 0, copies: 0 }
  return hours.map(({ hour }) => {
    const found = done.find((candidate) => candidate.hour === hour) ?? nothing
    const files = found.files.map((name) => stagedPath(runId, hour, name))
    return { ...found, hour, ruleSet: ruleSet.version, files }
  })
}

/** Rows of other advertisers are taken over from an earlier run: for that nobody needs a cluster. */
function refuseOneAdvertiser(tasks: readonly RebuildTask[]): void {
  if (tasks.every(({ only }) => only === undefined)) return
  throw new ClickledgerError(
    'bad-request',
    'the engine spark rebuilds all advertisers of an hour: leave the advertiser out, or use the engine piscina',
  )
}

/**
 * Stages tasks on Spark (CLICKLEDGER_SPARK_*), as many at once as there are rebuild workers.
 * Run twice, it leaves aggregates of both attempts, but names only its own; verdicts are the same.
 * @returns all hours, in the order of the tasks
 * @throws ClickledgerError `missing-program`, `invalid-settings`, `archive-gap`, `spark-failed`; the
 *   signal's reason; whatever `onStaged` throws
 */
export async function stageWithSpark(options: SparkStageOptions): Promise<StagedHour[]> {
  const { settings, objects, runId, tasks, signal, logger, onStaged } = options
  refuseUnshared(settings)
  refuseOneAdvertiser(tasks)
  const scratch = join(dataPaths(settings).scratch, 'rebuild')
  await mkdir(scratch, { recursive: true })
  const dir = await mkdtemp(join(scratch, 'spark-'))
  const attempt = randomBytes(4).toString('hex')
  const isBucket = settings.CLICKLEDGER_S3_BUCKET !== ''
  const places = isBucket ? bucketPlaces(settings, runId, attempt) : directoryPlaces(objects, dir)
  const staged = new Map<number, StagedHour[]>()
  const finish = async (number: number, done: readonly DriverHour[]) => {
    const task = tasks[number]
    if (!task) return
    if (!isBucket) for (const hour of done) await putHour(objects, runId, dir, hour)
    const hours = stagedHours(task, runId, done)
    staged.set(number, hours)
    await onStaged(hours)
    logger.debug({ run: runId, staged: staged.size, of: tasks.length }, 'Spark staged a task')
  }
  try {
    const found = await Promise.all(
      tasks.map((task, number) => sparkTask(task, { number, attempt }, places)),
    )
    const wanted = found.filter((task) => task !== undefined)
    for (const [number, task] of found.entries()) if (!task) await finish(number, [])
    if (wanted.length > 0) {
      const atOnce = settings.CLICKLEDGER_REBUILD_WORKERS
      const plan: SparkPlan = { ...planFrame, parent: process.pid, atOnce, tasks: wanted }
      const planFile = join(dir, 'plan.json')
      await writeFile(planFile, JSON.stringify(plan))
      await submit(settings, planFile, signal, ({ task, hours }) => finish(task, hours))
    }
    return tasks.flatMap((_, number) => staged.get(number) ?? [])
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
