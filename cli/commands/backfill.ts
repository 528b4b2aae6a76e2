// backfill: hours that are published already, rebuilt as a transaction.
import { type Command, Option } from 'commander'
import { engines } from '#schemas/runs.ts'
import { type BackfillRun, diffTable, followRun, planLine, readRun } from '../backfill.ts'
import { WrongUse } from '../exit.ts'
import { hourRangeOptions } from '../hours.ts'
import {
  type InstanceOptions,
  parseCount,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { type Session, withInstance } from '../session.ts'

interface Options extends InstanceOptions {
  readonly from?: string
  readonly to?: string
  readonly reason?: string
  readonly rules?: number
  readonly advertiser?: string
  readonly engine?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly wait: boolean
  readonly json?: boolean
}

const help = `
A backfill goes through these states: planned, running (hours are judged again and staged),
awaiting-approval (look at what would change), publishing, done. Nothing that a report shows changes
before it is approved; every final number that changes is in GET /v1/restatements with the reason.
--yes approves it where no guard rail is touched (CLICKLEDGER_GUARD_PERCENT). A run that was broken off is
resumed: what is staged is not staged again. Hours are given as in 2026-11-22T05:00:00Z or 2026-11-22.

Examples:
  clickledger backfill --from 2026-11-01 --to 2026-11-08 --reason "files of partner X were late" --dry-run
  clickledger backfill --from 2026-11-01 --to 2026-11-08 --rules 4 --reason "double-click window was 10 s"
  clickledger backfill show 3f0c
  clickledger backfill approve 3f0c1a52-...
  clickledger backfill rollback 3f0c1a52-... --reason "window was right after all"`

function bodyOf({ from, to, reason, rules, advertiser, engine, dryRun, yes }: Options) {
  if (from === undefined || to === undefined || !reason) {
    throw new WrongUse('give --from, --to and --reason')
  }
  return {
    ...hourRangeOptions(from, to),
    reason,
    ...(rules === undefined ? {} : { rule_set: rules }),
    ...(advertiser === undefined ? {} : { advertiser_id: advertiser }),
    ...(engine === undefined ? {} : { engine }),
    ...(dryRun ? { dry_run: true } : {}),
    ...(yes ? { approve: true } : {}),
  }
}

const next: Readonly<Record<string, (id: string) => string>> = {
  'awaiting-approval': (id) =>
    `Nothing is published yet. clickledger backfill approve ${id}   (or cancel)`,
  interrupted: (id) => `Broken off. clickledger backfill resume ${id}`,
  cancelled: () => 'Cancelled; nothing was published.',
}

/** The run for people. */
export function describeRun(run: BackfillRun): string {
  return [
    `${run.kind} ${run.run_id}: ${run.status}`,
    planLine(run),
    ...(run.diff ? ['', diffTable(run.diff), ''] : []),
    ...(next[run.status] ? [next[run.status]?.(run.run_id) ?? ''] : []),
  ].join('\n')
}

const show = (run: BackfillRun, { json }: { json?: boolean }) =>
  json ? printJson(run) : print(describeRun(run))

/** Follows it where somebody waits, or the instance would end with the command. */
const follow = async (session: Session, run: BackfillRun, wait: boolean) =>
  wait || session.isPrivate ? followRun(session, run.run_id, run.kind) : run

function addStart(command: Command): void {
  command
    .option('--from <hour>', 'first hour')
    .option('--to <hour>', 'hour after the last one; at most the boundary')
    .option('--reason <text>', 'kept with every number it changes')
    .option(
      '--rules <version>',
      'judge under this version (default: the one of each hour)',
      parseCount,
    )
    .option('--advertiser <id>', 'rebuild only this advertiser; not with --rules')
    .addOption(new Option('--engine <engine>', 'what does the work').choices(engines))
    .option('--dry-run', 'plan only')
    .option('--yes', 'approve it, within the guard rails')
    .option('--no-wait', 'do not follow it')
    .option('--json', 'print JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    const body = bodyOf(options)
    const run = await withInstance(sessionOptions(options, signalAbort()), async (session) => {
      const planned = (await session.api.postOnce('/v1/backfills', body)) as BackfillRun
      if (!options.json) process.stderr.write(`${planLine(planned)}\n`)
      return follow(session, planned, options.wait)
    })
    show(run, options)
  })
}

interface ActOptions extends InstanceOptions {
  readonly reason?: string
  readonly wait: boolean
  readonly json?: boolean
}

function addAction(command: Command, action: string, description: string): void {
  const sub = command.command(action).description(description).argument('<run>', 'id of the run')
  if (action === 'rollback') sub.requiredOption('--reason <text>', 'kept with every number')
  sub.option('--no-wait', 'do not follow it').option('--json', 'print JSON')
  withInstanceOptions(sub).action(async (runId: string, options: ActOptions) => {
    const path = `/v1/backfills/${encodeURIComponent(runId)}/${action}`
    const body = action === 'rollback' ? { reason: options.reason } : {}
    const run = await withInstance(sessionOptions(options, signalAbort()), async (session) => {
      const answer = (await session.api.postOnce(path, body)) as BackfillRun
      return action === 'cancel' ? answer : follow(session, answer, options.wait)
    })
    show(run, options)
  })
}

export function addBackfillCommand(program: Command): void {
  const command = program
    .command('backfill')
    .description('rebuild published hours as a transaction: plan, look, approve, roll back')
    .enablePositionalOptions()
  addStart(command)
  addAction(command, 'approve', 'publish what waits for approval')
  addAction(command, 'cancel', 'end a run that has published nothing')
  addAction(command, 'resume', 'go on with a run that was broken off')
  addAction(command, 'rollback', 'publish the numbers from before a run again')
  const shown = command.command('show').description('plan, progress and diff of a run')
  shown.argument('<run>', 'id of the run').option('--json', 'print JSON')
  withInstanceOptions(shown).action(async (runId: string, options: ActOptions) => {
    const session = sessionOptions(options, signalAbort())
    show(await withInstance(session, (found) => readRun(found, runId)), options)
  })
  const listed = command.command('list').description('the last runs that were asked for')
  withInstanceOptions(listed).action(async (options: InstanceOptions) => {
    const session = sessionOptions(options, signalAbort())
    printJson(await withInstance(session, ({ api }) => api.read('getBackfills', {})))
  })
}
