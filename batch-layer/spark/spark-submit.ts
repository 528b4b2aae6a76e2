// Runs driver.py under spark-submit and reads what it says. Spark is several processes (a shell, Java,
// Python): they are one process group, ended as one, and the driver ends itself when this process dies.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Settings } from '#platform/config.ts'
import { unlessAborted } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'

const driver = fileURLToPath(new URL('driver.py', import.meta.url))
const prefix = 'clickledger '
/** The end of what Spark logs, for the message when it fails. */
const logKeptChars = 4_000
const logShownLines = 12
/** After a polite signal Spark tells its cluster that it ends; then it is killed. */
const endingMs = 10_000

export type DriverLine =
  | { readonly done: true }
  | { readonly error: string }
  | { readonly task: number; readonly hours: readonly DriverHour[] }

export interface DriverHour {
  readonly hour: number
  /** Names in the hour's target folder. */
  readonly files: readonly string[]
  readonly valid: number
  readonly duplicate: number
  readonly invalid: number
  readonly copies: number
  readonly rules: Readonly<Record<string, number>>
}

const isLocal = (master: string) => /^local(\[|$)/.test(master)

/** Whether Spark runs in processes of this machine only, which share its files. */
export const runsHere = (settings: Settings): boolean => isLocal(settings.CLICKLEDGER_SPARK_MASTER)

/** Entries of a list with commas in their values: what does not begin as a property continues one. */
export function parseConf(entries: readonly string[]): Record<string, string> {
  const conf: Record<string, string> = {}
  let last = ''
  for (const entry of entries) {
    const match = /^(spark\.[^=\s]+)=(.*)$/.exec(entry)
    const [, name = '', value = ''] = match ?? []
    if (match) {
      last = name
      conf[name] = value
    } else if (last !== '') conf[last] += `,${entry}`
    else {
      throw new ClickledgerError(
        'invalid-settings',
        `CLICKLEDGER_SPARK_CONF: "${entry}" is not of the form spark.name=value`,
      )
    }
  }
  return conf
}

const localConf = (settings: Settings) => ({
  'spark.driver.host': '127.0.0.1',
  'spark.driver.bindAddress': '127.0.0.1',
  'spark.ui.enabled': 'false',
  // Here the driver is the executor, too.
  'spark.driver.memory': `${Math.floor((settings.CLICKLEDGER_REBUILD_MEMORY * settings.CLICKLEDGER_REBUILD_WORKERS) / 2 ** 20)}m`,
  'spark.sql.shuffle.partitions': '8',
  // Many small files are listed faster than a job begins.
  'spark.sql.sources.parallelPartitionDiscovery.threshold': '100000',
})

function s3Conf(settings: Settings): Record<string, string> {
  const endpoint = settings.CLICKLEDGER_S3_ENDPOINT
  return {
    'spark.hadoop.fs.s3a.endpoint.region': settings.CLICKLEDGER_S3_REGION,
    // Objects that stand for folders would be found among ours.
    'spark.hadoop.fs.s3a.directory.marker.retention': 'delete',
    'spark.hadoop.fs.s3a.path.style.access': String(settings.CLICKLEDGER_S3_PATH_STYLE),
    ...(endpoint && {
      'spark.hadoop.fs.s3a.endpoint': endpoint,
      'spark.hadoop.fs.s3a.connection.ssl.enabled': String(endpoint.startsWith('https:')),
    }),
  }
}

/** Properties of the run, no secret among them; the operator's go before ours. */
export function sparkConf(settings: Settings): Record<string, string> {
  return {
    'spark.submit.deployMode': 'client',
    'spark.sql.session.timeZone': 'UTC',
    'spark.sql.parquet.compression.codec': 'zstd',
    'spark.hadoop.parquet.compression.codec.zstd.level': '1',
    'spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs': 'false',
    ...(runsHere(settings) && localConf(settings)),
    ...(settings.CLICKLEDGER_S3_BUCKET !== '' && s3Conf(settings)),
    ...parseConf(settings.CLICKLEDGER_SPARK_CONF),
  }
}

/** The environment of Spark: none of our settings, and the keys where S3A looks for them. */
export function sparkEnv(settings: Settings, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const rest = Object.entries(env).filter(([name]) => !name.startsWith('CLICKLEDGER_'))
  const beside = join(dirname(settings.CLICKLEDGER_SPARK_SUBMIT), 'python')
  const accessKey = settings.CLICKLEDGER_S3_ACCESS_KEY
  return {
    // A spark-submit that pip installed needs the Python that it was installed for.
    ...(existsSync(beside) && { PYSPARK_PYTHON: beside }),
    ...Object.fromEntries(rest),
    ...(accessKey && {
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: settings.CLICKLEDGER_S3_SECRET_KEY,
    }),
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, signal)
  } catch {
    // it has ended
  }
}

const notFound = (settings: Settings, cause: unknown) =>
  new ClickledgerError(
    'missing-program',
    `"${settings.CLICKLEDGER_SPARK_SUBMIT}" cannot be run (${(cause as Error).message}). Install Apache Spark 4 (pip install pyspark==4.0.1), or set CLICKLEDGER_SPARK_SUBMIT to the path of its spark-submit.`,
    cause,
  )

/** What the end of Spark's log means. */
export function sparkFault(log: string, code: number | null): ClickledgerError {
  const end = log.trim().split('\n').slice(-logShownLines).join('\n')
  if (/JAVA_HOME is not set|java: (command )?not found|Unable to locate a Java Runtime/.test(log)) {
    return new ClickledgerError(
      'missing-program',
      `Apache Spark found no Java. Install Java 17 or later (Debian: openjdk-17-jre-headless), or set JAVA_HOME to where it is. Spark said:\n${end}`,
    )
  }
  if (/Could not find valid SPARK_HOME/.test(log)) {
    return new ClickledgerError(
      'missing-program',
      `CLICKLEDGER_SPARK_SUBMIT is a spark-submit without its Spark. Install both (pip install pyspark==4.0.1), or set SPARK_HOME. It said:\n${end}`,
    )
  }
  return new ClickledgerError(
    'spark-failed',
    `spark-submit ended with ${code === null ? 'a signal' : `code ${code}`} before the plan was staged. Its last lines:\n${end}`,
  )
}

/** What an error of the driver means: files that cannot be read are the archive's matter. */
export function driverFault(error: string): ClickledgerError {
  const isFile = /\[(PATH_NOT_FOUND|FAILED_READ_FILE[.\w]*)\]|is not a Parquet file/.test(error)
  return isFile
    ? new ClickledgerError('archive-gap', `Spark cannot read a file of the archive: ${error}`)
    : new ClickledgerError('spark-failed', `Spark could not stage the plan: ${error}`)
}

function parseLine(line: string): DriverLine | undefined {
  return line.startsWith(prefix) ? (JSON.parse(line.slice(prefix.length)) as DriverLine) : undefined
}

/**
 * Runs a plan and hands each line of the driver on, one after the other.
 * @param planFile - JSON of a SparkPlan
 * @throws ClickledgerError `missing-program`, `archive-gap`, `spark-failed`; the signal's reason
 */
export async function submit(
  settings: Settings,
  planFile: string,
  signal: AbortSignal,
  onTask: (task: Extract<DriverLine, { task: number }>) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted()
  const conf = Object.entries(sparkConf(settings)).flatMap(([k, v]) => ['--conf', `${k}=${v}`])
  const master = ['--master', settings.CLICKLEDGER_SPARK_MASTER, '--name', 'clickledger']
  const child = spawn(settings.CLICKLEDGER_SPARK_SUBMIT, [...master, ...conf, driver, planFile], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: sparkEnv(settings, process.env),
  })
  const closed = closing(child)
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-logKeptChars)
  })
  const onExit = () => signalGroup(child, 'SIGKILL')
  process.once('exit', onExit)
  try {
    const isDone = await unlessAborted(readDriver(child, onTask), signal)
    signal.throwIfAborted()
    const { code, error } = await closed
    if (error) throw notFound(settings, error)
    if (!isDone || code !== 0) throw sparkFault(log, code)
  } finally {
    await end(child, closed)
    process.off('exit', onExit)
  }
}

interface Closed {
  readonly code: number | null
  readonly error?: Error
}

function closing(child: ChildProcess): Promise<Closed> {
  const { promise, resolve } = Promise.withResolvers<Closed>()
  child.on('error', (error) => resolve({ code: null, error }))
  child.on('close', (code) => resolve({ code }))
  return promise
}

/** @returns whether the driver said that all is done */
async function readDriver(
  child: ChildProcess,
  onTask: (task: Extract<DriverLine, { task: number }>) => Promise<void>,
): Promise<boolean> {
  if (!child.stdout) return false
  let isDone = false
  for await (const text of createInterface({ input: child.stdout })) {
    const line = parseLine(text)
    if (!line) continue // Spark and Python say something, too
    if ('error' in line) throw driverFault(line.error)
    if ('task' in line) await onTask(line)
    else isDone = true
  }
  return isDone
}

async function end(child: ChildProcess, closed: Promise<Closed>): Promise<void> {
  signalGroup(child, 'SIGTERM')
  const killing = setTimeout(() => signalGroup(child, 'SIGKILL'), endingMs)
  await closed
  clearTimeout(killing)
  signalGroup(child, 'SIGKILL') // whoever of the group has closed its output and stayed
}
