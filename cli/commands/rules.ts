// rules show|set: the rule set in force, as data.
import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { WrongUse } from '../exit.ts'
import {
  type InstanceOptions,
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
  clickledger rules set rules.json
  clickledger rebuild --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z --rule-set 2 --wait`

async function readRules(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new WrongUse(`cannot read the rule set ${file}`, cause)
  }
}

export function addRulesCommand(program: Command): void {
  const rules = program.command('rules').description('the rule set').addHelpText('after', help)
  const show = rules.command('show').description('print the rule set in force, as JSON')
  withInstanceOptions(show).action(async (options: InstanceOptions) => {
    const session = sessionOptions(options, signalAbort())
    printJson(await withInstance(session, ({ api }) => api.get('/v1/rules')))
  })
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
