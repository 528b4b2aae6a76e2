// start: every layer in one process; with --simulate, traffic to look at.
import type { Command } from 'commander'
import { currentSettings, parsePositive, signalAbort } from '../options.ts'
import { createProgress } from '../progress.ts'
import { withKey } from '../session.ts'

interface Options {
  readonly simulate?: number
}

const help = `
Data lives in ./data (CLICKLEDGER_DATA_DIR); started again, everything is still there.
Settings come from the environment (docs/SETTINGS.md).

Examples:
  clickledger start
  clickledger start --simulate 200
  CLICKLEDGER_INGEST_PORT=9080 CLICKLEDGER_DATA_DIR=/var/lib/clickledger clickledger start`

async function startUntilSignal({ simulate }: Options): Promise<void> {
  const settings = currentSettings()
  const signal = signalAbort()
  const { startAll } = await import('../start.ts') // late: it brings every layer with it
  const instance = await startAll(settings, {})
  const close = () => void instance.close()
  if (signal.aborted) close()
  signal.addEventListener('abort', close, { once: true })
  if (simulate !== undefined && !signal.aborted) {
    const { runSimulation } = await import('../simulate/run-simulation.ts')
    const { ingestUrl, servingUrl } = instance
    const progress = createProgress('simulate', 'clicks')
    const onProgress = (p: { sent: number; accepted: number; errors: number }) =>
      progress.update({ done: p.sent, more: { accepted: p.accepted, errors: p.errors } })
    // The traffic goes on beside the instance: a fault of one must not hide the other's.
    await withKey(settings, (key) =>
      runSimulation({ ingestUrl, servingUrl, key, rate: simulate, signal, onProgress }),
    ).finally(() => progress.finish())
  }
  await instance.done
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('run every layer in one process')
    .option('--simulate <rate>', 'also send this many believable clicks a second', parsePositive)
    .addHelpText('after', help)
    .action(startUntilSignal)
}
