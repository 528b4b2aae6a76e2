// import FILE: real logs in, through the same path as POST.
import { basename } from 'node:path'
import type { Command } from 'commander'
import { WrongUse } from '../exit.ts'
import { readMapping } from '../import/mapping.ts'
import { openInput } from '../import/read-lines.ts'
import { type ImportSummary, runImport } from '../import/run-import.ts'
import {
  type InstanceOptions,
  printJson,
  sessionOptions,
  signalAbort,
  withIngestOption,
  withInstanceOptions,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { type Session, withInstance } from '../session.ts'
import { startRebuild, waitForRun, waitUntilArchived, waitUntilJudged } from '../settle.ts'

interface Options extends InstanceOptions {
  readonly mapping?: string
  readonly advertiser?: string
  readonly createAds?: boolean
  readonly rebuild?: boolean
  readonly rejects?: string
}

const help = `
FILE holds one click a line: JSON in the form of POST /track/click_event, which needs no mapping, or
CSV, TSV or any JSON lines, which a mapping describes (see mappings/). .gz is unpacked; - is standard
input. Any event time is taken; a JSON line without timestamp_ms gets the time the file was written.

Rows that cannot be used are counted by reason and written to the rejects file; they stop no other.
A row without event_id gets one made from its content, and its place among equal rows: the same file
imported twice changes no count.

Where no instance runs, one is started for the import, which then waits until every click is judged
and archived.

Examples:
  clickledger import clicks.jsonl
  clickledger import clk.20130606.txt --mapping mappings/ipinyou.json --create-ads
  clickledger import clicks.csv --mapping mappings/talkingdata.json --advertiser td --create-ads --rebuild
  clickledger import clicks.jsonl.gz --url https://reports.example.com --key clk_...`

/** Reads the options into what the import needs. @throws WrongUse */
async function prepare(file: string, options: Options) {
  const input = await openInput(file)
  const mapping = options.mapping ? await readMapping(options.mapping) : undefined
  const { advertiser, createAds = false } = options
  if (advertiser && !createAds) throw new WrongUse('--advertiser goes with --create-ads')
  if (createAds && !advertiser && !mapping?.ads?.advertiser_id) {
    throw new WrongUse('--create-ads needs --advertiser: the mapping does not say who owns the ads')
  }
  const name = file === '-' ? 'stdin' : basename(file)
  const rejectsPath = options.rejects ?? `${name}.rejects.jsonl`
  return { input, mapping, createAds, advertiserId: advertiser, rejectsPath }
}

async function rebuildDirty(session: Session, file: string) {
  const runId = await startRebuild(session, { dirty: true, reason: `import of ${basename(file)}` })
  if (runId === undefined) return { run_id: null, hours: 0 } // the scheduler was there first
  const run = await waitForRun(session, runId, createProgress('rebuild', 'hours'))
  return { run_id: run.run_id, hours: run.hours }
}

async function importInto(
  session: Session,
  file: string,
  prepared: Awaited<ReturnType<typeof prepare>>,
  rebuild: boolean,
) {
  const summary: ImportSummary = await runImport({
    ...prepared,
    api: session.api,
    key: session.key,
    ingestUrl: await session.ingestUrl(),
    progress: createProgress('import', 'rows'),
    signal: session.signal,
  })
  // A running instance goes on by itself; one that ends with the command must be done first.
  if (session.isPrivate || rebuild)
    await waitUntilJudged(session, createProgress('judge', 'milliseconds'))
  if (session.isPrivate) await waitUntilArchived(session, createProgress('archive', 'clicks'))
  return rebuild ? { ...summary, rebuild: await rebuildDirty(session, file) } : summary
}

export function addImportCommand(program: Command): void {
  const command = program
    .command('import')
    .description('import a file of clicks')
    .argument('<file>', 'JSON lines, CSV or TSV; .gz too; - for standard input')
    .option('--mapping <file>', 'how rows become clicks; none: each line is a click in JSON')
    .option('--create-ads', 'make ads that do not exist yet, with an example target')
    .option('--advertiser <id>', 'owner of the ads that --create-ads makes')
    .option('--rebuild', 'rebuild the hours that the import touched, and wait for it')
    .option('--rejects <file>', 'where unusable rows go (default: <file>.rejects.jsonl, here)')
    .addHelpText('after', help)
  withIngestOption(withInstanceOptions(command)).action(async (file: string, options: Options) => {
    const prepared = await prepare(file, options)
    const session = sessionOptions(options, signalAbort())
    const summary = await withInstance(session, (opened) =>
      importInto(opened, file, prepared, options.rebuild === true),
    )
    printJson(summary)
    if (summary.read > 0 && summary.accepted === 0) {
      throw new Error('no row could be used; see the reasons above')
    }
  })
}
