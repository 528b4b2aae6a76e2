// rules show|set: the rule set in force, as data.
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Rehearsal } from '../../batch-layer/rebuild/rehearsal.ts'
import { type BackfillRun, followRun, rehearsalTable } from '../backfill.ts'
import { WrongUse } from '../exit.ts'
import { hourRangeOptions } from '../hours.ts'
import {
  type InstanceOptions,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'

const help = `
A rule set is never changed, only followed by the next version: clicks judged before keep their
verdicts until their hours are rebuilt under another version.

Example:
  clickledger rules show > rules.json
  $EDITOR rules.json
  clickledger rules rehearse rules.json --from 2026-11-01 --to 2026-11-08
  clickledger rules set rules.json
  clickledger backfill --from 2026-11-01 --to 2026-11-08 --rules 2 --reason "rule X was wrong"`

async function readRules(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new WrongUse(`cannot read the rule set ${file}`, cause)
  }
}

interface RehearseOptions extends InstanceOptions {
  readonly from: string
  readonly to: string
  readonly json?: boolean
}

function addRehearse(rules: Command): void {
  const command = rules
    .command('rehearse')
    .description('judge archived hours under a rule set, publish nothing, show what would change')
    .argument('<file>', 'a rule set as `rules show` prints it')
    .requiredOption('--from <hour>', 'first hour')
    .requiredOption('--to <hour>', 'hour after the last one')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (file: string, options: RehearseOptions) => {
    const body = { ...hourRangeOptions(options.from, options.to), rules: await readRules(file) }
    const run = await withInstance(sessionOptions(options, signalAbort()), async (session) => {
      const planned = (await session.api.postOnce('/v1/rehearsals', body)) as BackfillRun
      return followRun(session, planned.run_id, 'rehearsal')
    })
    if (options.json) printJson(run.result)
    else print(rehearsalTable(run.result as Rehearsal))
  })
}

export function addRulesCommand(program: Command): void {
  const rules = program.command('rules').description('the rule set').addHelpText('after', help)
  const show = rules.command('show').description('print the rule set in force, as JSON')
  withInstanceOptions(show).action(async (options: InstanceOptions) => {
    const session = sessionOptions(options, signalAbort())
    printJson(await withInstance(session, ({ api }) => api.read('getRules', {})))
  })
  addRehearse(rules)
  const set = rules
    .command('set')
    .description('put the next rule set in force')
    .argument('<file>', 'a rule set as `rules show` prints it; its version is ignored')
    .addHelpText('after', help)
  withInstanceOptions(set).action(async (file: string, options: InstanceOptions) => {
    const body = await readRules(file)
    const session = sessionOptions(options, signalAbort())
    printJson(await withInstance(session, ({ api }) => api.postOnce('/v1/rules', body)))
  })
}
