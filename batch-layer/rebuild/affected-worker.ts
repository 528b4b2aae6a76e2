// A worker that finds the hours which late clicks really change (affected-sql.ts).
import type { RuleSet } from '#core/rules/rule-set.ts'
import type { Settings } from '#platform/config.ts'
import { withWorkspace } from '../workspace.ts'
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
export function affectedHours({ ruleSet, fresh, all, settings }: AffectedInput): Promise<number[]> {
  return withWorkspace(settings, { name: 'affected' }, async ({ connection, objects }) => {
    for (const [name, hours] of [
      ['fresh', fresh],
      ['clicks', all],
    ] as const) {
      const local = await localHours(connection, objects, hours)
      await connection.run(`CREATE TEMP VIEW ${name} AS ${clicksSql(local)}`)
    }
    const found = await connection.runAndReadAll(affectedHoursSql(ruleSet))
    return found.getRows().map(([hour]) => Number(hour))
  })
}
