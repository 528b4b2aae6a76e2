// A worker that finds the hours which late clicks really change (affected-sql.ts).
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { RuleSet } from '#core/rules/rule-set.ts'
import type { Settings } from '#platform/config.ts'
import { dataPaths, openObjectStore } from '#platform/stack.ts'
import { affectedHoursSql } from './affected-sql.ts'
import { localHours } from './local-hours.ts'
import type { HourFiles } from './plan.ts'
import { clicksSql } from './stage-sql.ts'

export interface AffectedInput {
  readonly ruleSet: RuleSet
  /** Files that came after the hours in question were built. */
  readonly fresh: readonly HourFiles[]
  /** All files of the hours in question and of those in between. */
  readonly all: readonly HourFiles[]
  readonly settings: Settings
}

/** Starts of hours whose verdicts may differ because of the fresh files. */
export async function affectedHours({
  ruleSet,
  fresh,
  all,
  settings,
}: AffectedInput): Promise<number[]> {
  const scratch = join(dataPaths(settings).scratch, 'rebuild')
  await mkdir(scratch, { recursive: true })
  const dir = await mkdtemp(join(scratch, 'affected-'))
  const objects = await openObjectStore(settings)
  const db = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${settings.CLICKLEDGER_REBUILD_MEMORY}B`,
    temp_directory: dir,
  })
  const connection = await db.connect()
  try {
    for (const [name, hours] of [
      ['fresh', fresh],
      ['clicks', all],
    ] as const) {
      const local = await localHours(connection, objects, hours)
      await connection.run(`CREATE TEMP VIEW ${name} AS ${clicksSql(local)}`)
    }
    const found = await connection.runAndReadAll(affectedHoursSql(ruleSet))
    return found.getRows().map(([hour]) => Number(hour))
  } finally {
    connection.closeSync()
    db.closeSync()
    await objects.close()
    await rm(dir, { recursive: true, force: true })
  }
}
