// simulate: traffic to look at, through the real endpoints.
import type { Command } from 'commander'
import {
  type InstanceOptions,
  parseCount,
  parseDurationOption,
  parsePositive,
  printJson,
  sessionOptions,
  signalAbort,
  withIngestOption,
  withInstanceOptions,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { withInstance } from '../session.ts'
import { waitUntilArchived, waitUntilJudged } from '../settle.ts'
import { runSimulation } from '../simulate/run-simulation.ts'

interface Options extends InstanceOptions {
  readonly rate: number
  readonly duration?: number
  readonly seed?: number
}

const help = `
Redirects, pixels, posts (some of them late) and signed clicks from placements: hot ads of five demo
advertisers, double clicks, robots, prefetches, a click farm now and then, visitors of many countries by
the hour of their day. Needs an admin key. Ends after --duration, or at Ctrl-C.

Examples:
  clickledger simulate --rate 200 --duration 5m
  clickledger simulate --rate 50 --seed 7 --url http://127.0.0.1:8090 --key clk_...`

export function addSimulateCommand(program: Command): void {
  const command = program
    .command('simulate')
    .description('send believable traffic')
    .requiredOption('--rate <clicks>', 'clicks a second', parsePositive)
    .option(
      '--duration <time>',
      'how long: 90s, 5m, PT1H (default: until stopped)',
      parseDurationOption,
    )
    .option('--seed <number>', 'the same traffic again', parseCount)
    .addHelpText('after', help)
  withIngestOption(withInstanceOptions(command)).action(async (options: Options) => {
    const signal = signalAbort()
    const totals = await withInstance(sessionOptions(options), async (session) => {
      const progress = createProgress('simulate', 'clicks')
      const { rate, duration, seed } = options
      const started = performance.now()
      const done = await runSimulation({
        ...{ rate, durationMs: duration, seed, signal, key: session.key },
        ingestUrl: await session.ingestUrl(),
        servingUrl: session.api.url,
        onProgress: ({ sent, accepted, errors, skipped }) =>
          progress.update({
            done: duration === undefined ? sent : performance.now() - started,
            total: duration,
            items: sent,
            more: { accepted, errors, skipped },
          }),
      })
      progress.finish()
      if (session.isPrivate) {
        await waitUntilJudged(session, createProgress('judge', 'milliseconds'))
        await waitUntilArchived(session, createProgress('archive', 'clicks'))
      }
      return done
    })
    printJson(totals)
    if (totals.sent > 0 && totals.accepted === 0) throw new Error('no click was accepted')
  })
}
