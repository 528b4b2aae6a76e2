// The local stack: the real servers, on loopback, without containers. Tests and commands share these
// functions. Servers outlive the process that starts them; `stop` ends them, from any process.
import { mkdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { lockDirectory } from '#platform/directory-lock.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { fetchJars, fetchVersitygw } from './artifacts.ts'
import { fixedPortBase, freePortBase, takenPorts } from './ports.ts'
import { needJava, needPostgres, needRedis } from './programs.ts'
import type { Fetching } from './run.ts'
import { createServer, type Server } from './server.ts'
import { serverKinds } from './servers/plans.ts'
import { postgresDataDir } from './servers/postgres.ts'
import {
  type KafkaVersion,
  type Programs,
  readState,
  type ServerName,
  type StackConfig,
  serverNames,
  settingsOf,
  stateFileOf,
  writeState,
} from './state.ts'

export const defaultStackDir = './data/stack'

export interface StackOptions {
  /** Data folder; made where missing. */
  readonly dir?: string
  /** Servers to start, and with them what they need; absent: all. */
  readonly only?: readonly ServerName[] | undefined
  /** `fixed`, `free`, or the first port; absent: those that the stack had before, else `fixed`. */
  readonly ports?: 'fixed' | 'free' | number | undefined
  readonly kafkaVersion?: KafkaVersion | undefined
  readonly progress?: (line: string) => void
  readonly signal?: AbortSignal | undefined
}

export interface Stack {
  readonly stateFile: string
  readonly config: StackConfig
  /** CLICKLEDGER_ settings that name every server. */
  readonly env: Readonly<Record<string, string>>
  readonly servers: readonly Server[]
  /** @throws ClickledgerError `unavailable` where the stack has no such server */
  server(name: ServerName): Server
  /** Stops every server in an orderly way. */
  stop(progress?: (line: string) => void): Promise<void>
  /** Kills every server: for data that nobody needs any more. */
  kill(): Promise<void>
}

/** `only` with all that they need. */
export function withNeeded(only: readonly ServerName[]): ServerName[] {
  const all = new Set<ServerName>()
  const add = (name: ServerName) => {
    all.add(name)
    serverKinds[name].needs.forEach(add)
  }
  only.forEach(add)
  return serverNames.filter((name) => all.has(name))
}

/**
 * Starts what does not run yet, fetching what is missing. Where it fails or is aborted, what it
 * started is stopped again.
 * @throws ClickledgerError `missing-program`, `unavailable` (a server does not start, a port is
 * taken), `already-running` (the folder is being started or stopped)
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { progress = () => {}, signal } = options
  const dir = resolve(options.dir ?? defaultStackDir)
  const unlock = lockDirectory(join(dir, 'run'))
  try {
    const config = await configure(dir, options, { progress, signal })
    mkdirSync(join(dir, 'run'), { recursive: true })
    writeState(config)
    await startAll(config, options.only ?? serverNames, { progress, signal })
    return stackOf(config)
  } finally {
    unlock()
  }
}

/** The stack on this folder, running or not; undefined: none was ever started. */
export function findStack(dir = defaultStackDir): Stack | undefined {
  const state = readState(stateFileOf(resolve(dir)))
  return state && stackOf(state.config)
}

/** Removes the data of a stack that does not run. @throws ClickledgerError `already-running` */
export function resetStack(dir = defaultStackDir): void {
  const stack = findStack(dir)
  if (!stack) return
  const running = stack.servers.filter((server) => server.pid() !== undefined)
  if (running.length > 0) {
    throw new ClickledgerError('already-running', `${running[0]?.name} still runs; stop it first`)
  }
  // By name, not the folder as a whole: it may be one that holds other things.
  const names = [...serverNames, 'run', 'log'].map((name) => join(stack.config.dir, name))
  for (const path of [...names, postgresDataDir(stack.config), stack.stateFile]) {
    rmSync(path, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The stack of a state file, whoever started it. @throws ClickledgerError `unavailable` */
export function openStack(stateFile: string): Stack {
  const state = readState(stateFile)
  if (!state) {
    throw new ClickledgerError(
      'unavailable',
      `no local stack: ${stateFile} is missing. Start one: npm run stack`,
    )
  }
  return stackOf(state.config)
}

/**
 * Settings of the stack that runs on this folder.
 * @throws ClickledgerError `unavailable` where none does
 */
export function localStackEnv(dir = defaultStackDir): Readonly<Record<string, string>> {
  const stack = findStack(dir)
  const dead = stack?.servers.filter((server) => server.pid() === undefined) ?? []
  if (!stack || dead.length > 0) {
    const what = stack
      ? `${dead.map((server) => server.name).join(', ')} not running`
      : 'not started'
    throw new ClickledgerError(
      'unavailable',
      `the local stack on ${dir}: ${what}. Start it first: npm run stack`,
    )
  }
  return stack.env
}

function stackOf(config: StackConfig): Stack {
  const servers = config.servers.map((name) => createServer(config, name))
  return {
    ...{ config, servers, stateFile: stateFileOf(config.dir), env: settingsOf(config) },
    server(name) {
      const found = servers.find((server) => server.name === name)
      if (!found) throw new ClickledgerError('unavailable', `the local stack has no ${name}`)
      return found
    },
    async stop(progress) {
      const unlock = lockDirectory(join(config.dir, 'run'))
      try {
        await stopServers(config, servers, progress)
      } finally {
        unlock()
      }
    },
    async kill() {
      await Promise.all(servers.map((server) => server.kill()))
    },
  }
}

async function configure(
  dir: string,
  { only = serverNames, ports, kafkaVersion }: StackOptions,
  fetching: Fetching,
): Promise<StackConfig> {
  const before = readState(stateFileOf(dir))?.config
  const running = before?.servers.filter((name) => createServer(before, name).pid() !== undefined)
  const isRunning = running !== undefined && running.length > 0
  const portBase = await choosePorts(ports, before?.portBase, isRunning)
  const servers = withNeeded([...only, ...(running ?? [])])
  if (before && isRunning && kafkaVersion && kafkaVersion !== before.kafkaVersion) {
    throw new ClickledgerError('unavailable', `Kafka ${before.kafkaVersion} runs; stop it first`)
  }
  const version = kafkaVersion ?? before?.kafkaVersion ?? '4.4'
  const programs = await findPrograms(servers, version, fetching)
  return { dir, portBase, kafkaVersion: version, servers, programs }
}

async function choosePorts(
  asked: StackOptions['ports'],
  before: number | undefined,
  isRunning: boolean,
): Promise<number> {
  const given = asked === 'fixed' ? fixedPortBase : asked
  if (isRunning && before !== undefined) {
    if (typeof given === 'number' && given !== before) {
      throw new ClickledgerError('unavailable', `the stack runs from port ${before}; stop it first`)
    }
    return before
  }
  if (given === 'free') return freePortBase()
  const base = given ?? before ?? fixedPortBase
  const taken = await takenPorts(base)
  if (taken.length === 0) return base
  throw new ClickledgerError(
    'unavailable',
    `port ${taken.join(', ')} is taken by another program; choose others with --ports free`,
  )
}

async function findPrograms(
  servers: readonly ServerName[],
  kafkaVersion: KafkaVersion,
  fetching: Fetching,
): Promise<Partial<Programs>> {
  const finders: Record<keyof Programs, () => Promise<string> | string> = {
    java: needJava,
    postgres: () => needPostgres(fetching),
    redis: () => needRedis(fetching),
    kafka: () => fetchJars(`kafka-${kafkaVersion}`, fetching),
    druid: () => fetchJars('druid', fetching),
    versitygw: () => fetchVersitygw(fetching),
  }
  const needed = [...new Set(servers.flatMap((name) => serverKinds[name].programs))]
  if (needed.includes('java')) needJava() // known at once, not after minutes of fetching
  const found = await Promise.all(
    needed.map(async (name) => [name, await finders[name]()] as const),
  )
  return Object.fromEntries(found)
}

/** Starts them side by side, each as soon as those it needs are ready. */
async function startAll(
  config: StackConfig,
  wanted: readonly ServerName[],
  { progress, signal }: Fetching,
): Promise<void> {
  const failed = new AbortController()
  const stopping = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])])
  const started: Server[] = []
  const begun = new Map<ServerName, Promise<void>>()
  const start = (name: ServerName): Promise<void> => {
    const known = begun.get(name)
    if (known) return known
    const ready = (async () => {
      await Promise.all(serverKinds[name].needs.map(start))
      const server = createServer(config, name)
      const wasRunning = server.pid() !== undefined
      if (!wasRunning) started.push(server)
      const at = performance.now()
      await server.start(stopping)
      const seconds = ((performance.now() - at) / 1000).toFixed(1)
      progress(`${name}: ${wasRunning ? 'runs already' : `ready in ${seconds} s`}`)
    })()
    begun.set(name, ready)
    return ready
  }
  const all = withNeeded(wanted).map(start)
  try {
    await Promise.all(all)
  } catch (error) {
    failed.abort(error)
    await Promise.allSettled(all)
    progress('stopping what was started')
    await stopServers(config, started)
    throw error
  }
}

/** Those that need others first. */
async function stopServers(
  config: StackConfig,
  servers: readonly Server[],
  progress: (line: string) => void = () => {},
): Promise<void> {
  const stopped = new Map<ServerName, Promise<void>>()
  const stop = (server: Server): Promise<void> => {
    const known = stopped.get(server.name)
    if (known) return known
    const users = servers.filter((other) => serverKinds[other.name].needs.includes(server.name))
    const done = (async () => {
      await Promise.all(users.map(stop))
      const wasRunning = server.pid() !== undefined
      await server.stop()
      if (wasRunning) progress(`${server.name}: stopped`)
    })()
    stopped.set(server.name, done)
    return done
  }
  await Promise.all(servers.map(stop))
  writeState(config)
}
