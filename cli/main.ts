// The command line. Wiring only: one file per command in cli/commands/.
import { Command, CommanderError } from 'commander'
import { addAdsCommand } from './commands/ads.ts'
import { addAuditCommand } from './commands/audit.ts'
import { addBackfillCommand } from './commands/backfill.ts'
import { addBoundaryCommand } from './commands/boundary.ts'
import { addDlqCommand } from './commands/dlq.ts'
import { addImportCommand } from './commands/import.ts'
import { addKeysCommand } from './commands/keys.ts'
import { addLayerCommands } from './commands/layer.ts'
import { addRebuildCommand } from './commands/rebuild.ts'
import { addReconcileCommand } from './commands/reconcile.ts'
import { addReplayCommand } from './commands/replay.ts'
import { addRulesCommand } from './commands/rules.ts'
import { addSimulateCommand } from './commands/simulate.ts'
import { addStartCommand } from './commands/start.ts'
import { addStatusCommand } from './commands/status.ts'
import { describeError, exitCodeOf, exitCodes } from './exit.ts'

/** Open sockets must not keep a finished command alive. */
const lingerMs = 3_000

const help = `
Commands work on the instance at --url (CLICKLEDGER_URL), else on the one that runs on the data directory
(CLICKLEDGER_DATA_DIR, default ./data), else on a private one started for the command.

Exit codes: 0 done, 1 failed, 2 wrong use.`

function createProgram(): Command {
  const program = new Command('clickledger')
    .description('Ad clicks, counted twice and billed once.')
    .exitOverride() // before the commands are added: they inherit it
    .enablePositionalOptions() // what stands after a command is the command's
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', help)
  addStartCommand(program)
  addLayerCommands(program)
  addImportCommand(program)
  addReplayCommand(program)
  addSimulateCommand(program)
  addRebuildCommand(program)
  addBackfillCommand(program)
  addBoundaryCommand(program)
  addReconcileCommand(program)
  addDlqCommand(program)
  addAdsCommand(program)
  addKeysCommand(program)
  addAuditCommand(program)
  addRulesCommand(program)
  addStatusCommand(program)
  return program
}

async function main(): Promise<number> {
  try {
    await createProgram().parseAsync()
    return exitCodes.done
  } catch (error) {
    // commander has said what is wrong; help that was asked for is no fault.
    if (error instanceof CommanderError)
      return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUse
    process.stderr.write(`clickledger: ${describeError(error)}\n`)
    return exitCodeOf(error)
  }
}

process.exitCode = await main()
setTimeout(() => process.exit(), lingerMs).unref()
