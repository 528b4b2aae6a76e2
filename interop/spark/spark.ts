// Runs SQL on Apache Spark, through run.py: one session for many tasks, since starting one takes most of
// the time that a small test has.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Row } from '../expected.ts'
import { openPython } from '../python.ts'
import { parseLines } from '../support.ts'

export type SparkView =
  /** `keep`: computed once for all who read it, as a table would be. */
  | { readonly sql: string; readonly keep?: true }
  /** `base` is where the folders of hive partitions begin. */
  | { readonly base: string; readonly files: readonly string[] }

export interface SparkTask {
  /** Made in their order. */
  readonly views: Readonly<Record<string, SparkView>>
  readonly sql: string
  /** The result as Parquet in this folder, instead of rows. */
  readonly into?: string
}

export interface SparkResult {
  readonly types: Readonly<Record<string, string>>
  /** Planning, running and collecting; reading the files' footers is not in it. */
  readonly seconds: number
  readonly rows: readonly Row[]
}

/** @throws ClickledgerError `missing-program` where there is no Java for Spark */
function needJava(): void {
  if (spawnSync('java', ['-version']).status === 0) return
  throw new ClickledgerError(
    'missing-program',
    'Apache Spark needs Java 17 or later (Debian: openjdk-17-jre-headless). Install it and run the test again.',
  )
}

export interface Spark {
  run(task: SparkTask): Promise<SparkResult>
  close(): void
}

const taskMs = 8 * 60_000

/** Starts a session. @param dir - a scratch folder */
export async function openSpark(dir: string): Promise<Spark> {
  needJava()
  const session = (await openPython()).start('spark/run.py')
  let tasks = 0
  return {
    async run({ views, sql, into }) {
      const output = into ?? join(dir, `task-${tasks++}.jsonl`)
      const task = { views, sql, output, ...(into ? { format: 'parquet' } : {}) }
      const said = await session.ask(JSON.stringify(task), taskMs)
      if (said !== 'done') throw new Error(`Spark: ${said}`)
      const [head, ...rows] = parseLines<Row>(
        readFileSync(into ? `${output}.json` : output, 'utf8'),
      )
      return { ...(head as unknown as Omit<SparkResult, 'rows'>), rows }
    },
    close: () => session.close(),
  }
}
