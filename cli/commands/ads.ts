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

const linesPerCall = 500
const rejectedShownMax = 100

interface Rejected {
  readonly line: number
  readonly reason: string
  readonly detail: string
}

const help = `
FILE is JSON lines: ad_id, advertiser_id, target_url, and optionally campaign_id, name,
advertiser_name, campaign_name. Missing advertisers and campaigns are made; ads that exist are updated.
A line that cannot be used is reported and stops no other.

Example:
  echo '{"ad_id":"shoe-1","advertiser_id":"acme","target_url":"https://acme.example/shoe"}' > ads.jsonl
  clickledger ads import ads.jsonl`

async function upsertAds(session: Session, input: InputFile) {
  const progress = createProgress('ads', 'ads')
  const rejected: Rejected[] = []
  let [upserted, refused, bytes] = [0, 0, 0]
  const blocks = readLines(input, (more) => {
    bytes += more
  })
  for await (const block of blocks) {
    for (let i = 0; i < block.length; i += linesPerCall) {
      const lines = block.slice(i, i + linesPerCall)
      if (lines.every((line) => line.text.trim() === '')) continue
      const answer = (await callRepeating({
        method: 'POST',
        url: `${session.api.url}/v1/ads`,
        key: session.key,
        contentType: 'application/x-ndjson',
        body: lines.map((line) => line.text).join('\n'),
        signal: session.signal,
      })) as { upserted: number; rejected: Rejected[] }
      const before = (lines[0]?.number ?? 1) - 1
      upserted += answer.upserted
      refused += answer.rejected.length
      const room = Math.max(0, rejectedShownMax - rejected.length)
      const some = answer.rejected.slice(0, room)
      rejected.push(...some.map((one) => ({ ...one, line: one.line + before })))
      progress.update({ done: bytes, total: input.bytes, items: upserted + refused })
    }
  }
  progress.finish()
  return { upserted, rejected: refused, rejected_lines: rejected }
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
