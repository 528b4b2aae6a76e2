// ads import FILE: the catalogue of ads, from JSON lines.
import type { Command } from 'commander'
import { callRepeating } from '../api.ts'
import { type InputFile, openInput, readLines } from '../import/read-lines.ts'
import {
  type InstanceOptions,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { type Session, withInstance } from '../session.ts'

/** About 2 MB and a second's work: what a failed call repeats. */
const linesPerCall = 10_000
const rejectedShownMax = 100
const callTimeoutMs = 120_000

interface Rejected {
  readonly line: number
  readonly reason: string
  readonly detail: string
}

interface BulkAnswer {
  readonly upserted: number
  readonly rejected: number
  readonly faults: readonly Rejected[]
}

const help = `
FILE is JSON lines: ad_id, advertiser_id, target_url, and optionally campaign_id, name,
advertiser_name, campaign_name; .gz files are unpacked on the way. Missing advertisers and campaigns
are made; ads that exist are updated. A line that cannot be used is reported and stops no other.
Any number of lines: memory stays the same. An import that broke off is simply started again: what
is stored already is only looked at.

Examples:
  echo '{"ad_id":"shoe-1","advertiser_id":"acme","target_url":"https://acme.example/shoe"}' > ads.jsonl
  clickledger ads import ads.jsonl
  zcat ads.jsonl.gz | clickledger ads import -`

/** Lines of a file, so many at a time. */
async function* callsOf(input: InputFile, onBytes: (bytes: number) => void) {
  let first = 1
  let texts: string[] = []
  for await (const block of readLines(input, onBytes)) {
    // Of a line that is too long only the beginning is here, which is no JSON: it is reported so.
    texts.push(...block.map(({ text }) => text))
    if (texts.length < linesPerCall) continue
    yield { first, texts }
    first += texts.length
    texts = []
  }
  if (texts.length > 0) yield { first, texts }
}

async function upsertAds(session: Session, input: InputFile) {
  const progress = createProgress('ads', 'ads')
  const rejectedLines: Rejected[] = []
  let [upserted, rejected, bytes] = [0, 0, 0]
  const calls = callsOf(input, (more) => {
    bytes += more
  })
  for await (const { first, texts } of calls) {
    if (texts.every((text) => text.trim() === '')) continue
    const answer = (await callRepeating({
      ...{ method: 'POST', url: `${session.api.url}/v1/ads:bulk`, key: session.key },
      ...{ contentType: 'application/x-ndjson', body: texts.join('\n') },
      ...{ timeoutMs: callTimeoutMs, signal: session.signal },
    })) as BulkAnswer
    upserted += answer.upserted
    rejected += answer.rejected
    const some = answer.faults.slice(0, rejectedShownMax - rejectedLines.length)
    rejectedLines.push(...some.map((one) => ({ ...one, line: one.line + first - 1 })))
    progress.update({ done: bytes, total: input.bytes, items: upserted + rejected })
  }
  progress.finish()
  return { upserted, rejected, rejected_lines: rejectedLines }
}

export function addAdsCommand(program: Command): void {
  const ads = program.command('ads').description('the catalogue of ads')
  const command = ads
    .command('import')
    .description('create or update ads from a file')
    .argument('<file>', 'JSON lines; - for standard input')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (file: string, options: InstanceOptions) => {
    const input = await openInput(file)
    const session = sessionOptions(options, signalAbort())
    const summary = await withInstance(session, (opened) => upsertAds(opened, input))
    printJson(summary)
    if (summary.upserted === 0 && summary.rejected > 0) throw new Error('no ad could be used')
  })
}
