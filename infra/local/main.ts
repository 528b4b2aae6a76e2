// `npm run stack`: the local stack for people. Wiring only; what the commands do is in stack.ts.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { describeError, exitCodeOf, exitCodes } from '../../cli/exit.ts'
import { print, signalAbort } from '../../cli/options.ts'
import { describeEnv, describeStart, describeStatus } from './describe.ts'
import { followLogs } from './logs.ts'
import { fixedPortBase } from './ports.ts'
import { defaultStackDir, findStack, openStack, resetStack, startStack } from './stack.ts'
import {
  type KafkaVersion,
  kafkaVersions,
  portsInBlock,
  type ServerName,
  serverNames,
  stateFileOf,
} from './state.ts'

interface Options {
  readonly dir: string
}

interface StartOptions extends Options {
  readonly ports?: 'fixed' | 'free' | number
  readonly only?: readonly ServerName[]
  readonly kafka?: KafkaVersion
}

const help = `
Runs Kafka, Druid, an S3 server, PostgreSQL and Redis on 127.0.0.1, without containers. What is missing
is fetched once and kept in the cache of the user. Servers go on running when this command ends.

Examples:
  npm run stack                                  start everything; a second time: say what runs
  npm run stack -- start --only kafka,postgres   just these, and what they need
  npm run stack -- start --ports free            where the usual ports are taken
  npm run stack -- status                        what runs, where, and how much memory it takes
  npm run stack -- logs druid-indexer --follow   what one server says
  npm run stack -- env > stack.env               settings for clickledger
  npm run stack -- stop                          stop everything; data stay
  npm run stack -- reset                         stop everything and remove its data
  npx clickledger start --stack local            all layers on these servers

Exit codes: 0 done, 1 failed, 2 wrong use.`

/** @returns servers; `druid` stands for all of Druid */
function parseServers(text: string): ServerName[] {
  const wanted = text.split(',').map((name) => name.trim())
  return wanted.flatMap((name) => {
    const found = serverNames.filter((known) => known === name || known.startsWith(`${name}-`))
    if (found.length > 0) return found
    throw new InvalidArgumentError(`servers are druid, ${serverNames.join(', ')}`)
  })
}

function parsePorts(text: string): 'fixed' | 'free' | number {
  if (text === 'fixed' || text === 'free') return text
  const first = Number(text)
  if (Number.isInteger(first) && first > 1023 && first + portsInBlock <= 65_536) return first
  throw new InvalidArgumentError('it must be fixed, free, or the first port')
}

function parseServer(text: string): ServerName {
  const [name, ...more] = parseServers(text)
  if (!name || more.length > 0) throw new InvalidArgumentError('name one server')
  return name
}

const withSeconds = () => {
  const startedAt = performance.now()
  return (line: string) => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    process.stderr.write(`${seconds.padStart(6)} s  ${line}\n`)
  }
}

async function start({ kafka, ...options }: StartOptions): Promise<void> {
  const signal = signalAbort()
  const progress = withSeconds()
  const stack = await startStack({ ...options, kafkaVersion: kafka, progress, signal })
  print(describeStart(stack))
}

async function stop({ dir }: Options): Promise<void> {
  await findStack(dir)?.stop(withSeconds())
}

function createProgram(): Command {
  const program = new Command('npm run stack --')
    .description('The real servers, on this machine.')
    .exitOverride()
    .showHelpAfterError('(add --help for the options and examples)')
    .addHelpText('after', help)
  const add = (usage: string, description: string, isDefault = false) =>
    program
      .command(usage, { isDefault })
      .description(description)
      .option('--dir <dir>', 'data folder of the stack', defaultStackDir)
  add('start', 'fetch what is missing and start what does not run (default)', true)
    .option(
      '--ports <ports>',
      `fixed (from ${fixedPortBase}), free, or the first of ${portsInBlock} (default: as before, else fixed)`,
      parsePorts,
    )
    .option('--only <servers>', 'comma-separated; what they need is started, too', parseServers)
    .addOption(new Option('--kafka <version>', 'version of Kafka').choices(kafkaVersions))
    .action(start)
  add('stop', 'stop every server; data stay').action(stop)
  add('status', 'servers, addresses and memory').action(({ dir }: Options) => {
    print(describeStatus(findStack(dir)))
  })
  add('env', 'settings with which clickledger uses the stack').action(({ dir }: Options) => {
    print(describeEnv(openStack(stateFileOf(dir))))
  })
  add('logs', 'what the servers said last')
    .argument('[server]', 'one of them (default: all)', parseServer)
    .option('-f, --follow', 'go on with what they say next')
    .action((server: ServerName | undefined, { dir, follow }: Options & { follow?: boolean }) => {
      const servers = findStack(dir)?.servers ?? []
      const shown = servers.filter(({ name }) => server === undefined || name === server)
      return followLogs(shown, follow ? signalAbort() : undefined)
    })
  add('reset', 'stop every server and remove its data').action(async ({ dir }: Options) => {
    await stop({ dir })
    resetStack(dir)
  })
  return program
}

async function main(): Promise<number> {
  try {
    await createProgram().parseAsync()
    return exitCodes.done
  } catch (error) {
    // commander has said what is wrong; help that was asked for is no fault.
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUse
    }
    process.stderr.write(`stack: ${describeError(error)}\n`)
    return exitCodeOf(error)
  }
}

process.exitCode = await main()
