// rebuild: hours again from the archive, under the rule set in force.
import type { Command } from 'commander'
import { WrongUse } from '../exit.ts'
import { hourRangeOptions } from '../hours.ts'
import {
  type InstanceOptions,
  parseCount,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { withInstance } from '../session.ts'
import { type RebuildBody, startRebuild, waitForRun } from '../settle.ts'

interface Options extends InstanceOptions {
  readonly from?: string
  readonly to?: string
  readonly dirty?: boolean
  readonly reason?: string
  readonly ruleSet?: number
  readonly wait?: boolean
}

const help = `
Times are whole hours in ISO 8601, UTC where no offset is given; --to is exclusive. --dirty rebuilds
every hour that has got clicks since it was last built. Hours above the boundary are left alone: they are
built when they are sealed. Where no instance runs, the command starts one and always waits.
A run_id of null means that there was nothing to rebuild.

Examples:
  clickledger rebuild --from 2026-11-21T00:00:00Z --to 2026-11-22T00:00:00Z --wait
  clickledger rebuild --dirty --reason "late files of partner X"`

/** Options -> the body of the request. @throws WrongUse */
export function rebuildBody({ from, to, dirty, reason, ruleSet }: Options): RebuildBody {
  const why = {
    ...(reason === undefined ? {} : { reason }),
    ...(ruleSet === undefined ? {} : { rule_set: ruleSet }),
  }
  if (dirty) {
    if (from !== undefined || to !== undefined)
      throw new WrongUse('--dirty goes without --from and --to')
    return { dirty, ...why }
  }
  if (from === undefined || to === undefined) {
    throw new WrongUse('give --from and --to, or --dirty')
  }
  return { ...hourRangeOptions(from, to), ...why }
}

export function addRebuildCommand(program: Command): void {
  const command = program
    .command('rebuild')
    .description('rebuild hours from the archive')
    .option('--from <hour>', 'first hour')
    .option('--to <hour>', 'hour after the last one')
    .option('--dirty', 'all hours with clicks that came after they were built')
    .option('--reason <text>', 'kept with the run')
    .option(
      '--rule-set <version>',
      'judge under this version (default: the one each hour was published under)',
      parseCount,
    )
    .option('--wait', 'wait for its end')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    const body = rebuildBody(options)
    const result = await withInstance(sessionOptions(options, signalAbort()), async (session) => {
      const runId = await startRebuild(session, body)
      if (runId === undefined) return { run_id: null, hours: 0 }
      if (!options.wait && !session.isPrivate) return { run_id: runId }
      return waitForRun(session, runId, createProgress('rebuild', 'hours'))
    })
    printJson(result)
  })
}
