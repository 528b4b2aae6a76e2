// start: every layer in one process; with --simulate, traffic to look at.
import { type Command, Option } from 'commander'
import type { Settings } from '#platform/config.ts'
import {
  aborted,
  currentSettings,
  localStackSettings,
  parsePositive,
  signalAbort,
} from '../options.ts'
import { createProgress } from '../progress.ts'
import { withLocal } from '../session.ts'
import type { SimulationTotals } from '../simulate/run-simulation.ts'

const stacks = ['local'] as const
type Stack = (typeof stacks)[number]

interface Options {
  readonly stack?: Stack
  readonly simulate?: number
}

const help = `
Data lives in ./data (CLICKLEDGER_DATA_DIR); started again, everything is still there.
Settings come from the environment (docs/SETTINGS.md).

Examples:
  clickledger start
  clickledger start --simulate 200
  clickledger start --stack local        on the servers that npm run stack started
  CLICKLEDGER_INGEST_PORT=9080 CLICKLEDGER_DATA_DIR=/var/lib/clickledger clickledger start`

/** Sends traffic to a running instance until the signal aborts. */
async function sendTraffic(
  settings: Settings,
  { ingestUrl, servingUrl }: { ingestUrl: string; servingUrl: string },
  rate: number,
  signal: AbortSignal,
): Promise<void> {
  const { runSimulation } = await import('../simulate/run-simulation.ts')
  const progress = createProgress('simulate', 'clicks')
  const onProgress = ({ sent, accepted, errors }: SimulationTotals) =>
    progress.update({ done: sent, more: { accepted, errors } })
  try {
    await withLocal(settings, ({ key }) =>
      runSimulation({ ingestUrl, servingUrl, key, rate, signal, onProgress }),
    )
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    progress.finish()
  }
}

async function startUntilSignal({ simulate, stack }: Options): Promise<void> {
  const settings = stack === 'local' ? await localStackSettings() : currentSettings()
  const stopped = signalAbort()
  const { startAll } = await import('../start.ts') // late: it brings every layer with it
  const instance = await startAll(settings, {})
  const ended = new AbortController()
  const signal = AbortSignal.any([stopped, ended.signal])
  const traffic =
    simulate === undefined ? undefined : sendTraffic(settings, instance, simulate, signal)
  try {
    // The traffic only ends before the signal when it fails.
    await Promise.race([instance.done, aborted(stopped), ...(traffic ? [traffic] : [])])
  } finally {
    ended.abort()
    await traffic?.catch(() => {}) // its failure has been thrown by the race
    await instance.close()
  }
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run every layer in one process')
    .addOption(
      new Option(
        '--stack <name>',
        'what the layers stand on (default: what the settings say)',
      ).choices(stacks),
    )
    .option('--simulate <rate>', 'also send this many believable clicks a second', parsePositive)
    .addHelpText('after', help)
    .action(startUntilSignal)
}
