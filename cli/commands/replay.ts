// replay FILE: a log again, as live HTTP clicks.
import type { Command } from 'commander'
import { WrongUse } from '../exit.ts'
import { readMapping } from '../import/mapping.ts'
import { openInput } from '../import/read-lines.ts'
import {
  type InstanceOptions,
  parseCount,
  parsePositive,
  printJson,
  sessionOptions,
  signalAbort,
  withIngestOption,
  withInstanceOptions,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { runReplay } from '../replay/run-replay.ts'
import { withInstance } from '../session.ts'
import { waitUntilArchived, waitUntilJudged } from '../settle.ts'

interface Options extends InstanceOptions {
  readonly mapping?: string
  readonly speed: number
  readonly limit?: number
  readonly advertiser?: string
  readonly createAds?: boolean
}

const help = `
Sends GET /click/{ad_id} for each row, in the order of their times, with the row's User-Agent, Referer and
address (X-Forwarded-For: ingest believes it from CLICKLEDGER_TRUSTED_PROXIES only). The server's clock is
their event time. At speed 60 a minute of the file takes a second.

Example:
  clickledger replay clk.20130606.txt --mapping mappings/ipinyou.json --create-ads --speed 600`

export function addReplayCommand(program: Command): void {
  const command = program
    .command('replay')
    .description('send a file as live HTTP clicks, time-compressed')
    .argument('<file>', 'as for import')
    .option('--mapping <file>', 'how rows become clicks; none: each line is a click in JSON')
    .option('--speed <factor>', 'how much faster than the file', parsePositive, 1)
    .option('--limit <clicks>', 'send the first clicks only', parseCount)
    .option('--create-ads', 'make ads that do not exist yet, with an example target')
    .option('--advertiser <id>', 'owner of the ads that --create-ads makes')
    .addHelpText('after', help)
  withIngestOption(withInstanceOptions(command)).action(async (file: string, options: Options) => {
    const input = await openInput(file)
    const mapping = options.mapping ? await readMapping(options.mapping) : undefined
    const { advertiser, createAds = false, speed, limit } = options
    if (createAds && !advertiser && !mapping?.ads?.advertiser_id) {
      throw new WrongUse(
        '--create-ads needs --advertiser: the mapping does not say who owns the ads',
      )
    }
    const summary = await withInstance(sessionOptions(options, signalAbort()), async (session) => {
      const { api, signal } = session
      const ingestUrl = await session.ingestUrl()
      const progress = createProgress('replay', 'clicks')
      const what = { input, mapping, speed, limit, createAds, advertiserId: advertiser }
      const result = await runReplay({ ...what, api, ingestUrl, progress, signal })
      if (session.isPrivate && !signal?.aborted) {
        await waitUntilJudged(session, createProgress('judge', 'milliseconds'))
        await waitUntilArchived(session, createProgress('archive', 'clicks'))
      }
      return result
    })
    printJson(summary)
    if (summary.sent > 0 && summary.accepted === 0) throw new Error('no click was accepted')
  })
}
