// ingest, speed, archive, serve: one layer as a process of its own, until a signal.
import type { Command } from 'commander'
import { aborted, currentSettings, signalAbort } from '../options.ts'

const layers = {
  ingest: 'take clicks in over HTTP',
  speed: 'judge clicks as they come',
  archive: 'keep raw clicks as Parquet',
  serve: 'answer reports, and seal and rebuild hours',
} as const

export type LayerCommand = keyof typeof layers

async function runUntilSignal(name: LayerCommand): Promise<void> {
  const settings = currentSettings()
  const signal = signalAbort()
  const { runLayer } = await import('../layers.ts') // late: a layer brings much with it
  const layer = await runLayer(name, settings)
  try {
    await Promise.race([layer.done, aborted(signal)])
  } finally {
    await layer.close()
  }
}

export function addLayerCommands(program: Command): void {
  for (const [name, what] of Object.entries(layers) as [LayerCommand, string][]) {
    program
      .command(name)
      .description(`run one layer: ${what}`)
      .addHelpText(
        'after',
        `\nRuns until SIGINT or SIGTERM. Settings come from the environment (docs/SETTINGS.md).\n\nExample:\n  clickledger ${name}`,
      )
      .action(() => runUntilSignal(name))
  }
}
