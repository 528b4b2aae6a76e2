// A server of the stack as tests and commands hold it: it can be started, stopped, killed and paused
// from any process, because all it knows comes from the state file and the pid file.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { lockDirectory } from '#platform/directory-lock.ts'
import { until, pause as wait } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { isFree } from './ports.ts'
import { endProcess, killProcess, launch, runningPid, signalProcess } from './processes.ts'
import { serverKinds } from './servers/plans.ts'
import {
  dataDirOf,
  logFileOf,
  pidFileOf,
  portOf,
  type ServerName,
  type StackConfig,
  writeState,
} from './state.ts'

/** On a busy machine a JVM takes its time. */
const readyWithinMs = 180_000
const askedEveryMs = 200
const portFreeWithinMs = 5_000
const logCharsShown = 3_000

export interface Server {
  readonly name: ServerName
  readonly port: number
  readonly logFile: string
  /** Of the process that runs now; undefined: none does. */
  pid(): number | undefined
  /**
   * Starts it on its data and port, and returns when it is ready. Nothing to do where it runs.
   * @throws ClickledgerError `already-running` where another process is just launching it
   */
  start(signal?: AbortSignal): Promise<void>
  /** An orderly end. */
  stop(): Promise<void>
  /** SIGKILL to it and its children; returns when it is gone. */
  kill(): Promise<void>
  /** SIGSTOP: its sockets stay open, and it answers nothing. */
  pause(): void
  /** SIGCONT. */
  resume(): void
}

/** The handle of a server, running or not. */
export function createServer(config: StackConfig, name: ServerName): Server {
  const plan = serverKinds[name].plan(config)
  const pidFile = pidFileOf(config, name)
  const logFile = logFileOf(config, name)
  const port = portOf(config, name)
  const pid = () => runningPid(pidFile)
  const signalAll = (signal: 'SIGSTOP' | 'SIGCONT') => {
    if (!signalProcess(pidFile, signal, { withChildren: true })) throw notRunning(name)
  }

  const launchServer = async (signal?: AbortSignal) => {
    mkdirSync(dataDirOf(config, name), { recursive: true })
    await plan.prepare?.()
    // What listens there would be taken for this server.
    const options = { timeoutMs: portFreeWithinMs, what: `port ${port} for ${name} is free` }
    await until(() => isFree(port), options)
    signal?.throwIfAborted()
    await launch({ ...plan, pidFile, logFile })
    writeState(config)
  }

  const untilReady = async (signal?: AbortSignal) => {
    const deadline = Date.now() + readyWithinMs
    let last: unknown
    for (;;) {
      signal?.throwIfAborted()
      if (pid() === undefined) throw failedToStart(name, 'it ended', logFile)
      if (Date.now() > deadline) throw failedToStart(name, `not ready: ${last}`, logFile)
      const isReady = await plan.isReady().catch((error) => {
        last = error
        return false
      })
      if (isReady) return
      await wait(askedEveryMs, signal)
    }
  }

  return {
    ...{ name, port, logFile, pid },
    async start(signal) {
      const unlock = lockDirectory(join(config.dir, 'run', `${name}.lock`))
      try {
        if (pid() === undefined) await launchServer(signal)
      } finally {
        unlock()
      }
      await untilReady(signal)
      await plan.provide?.()
    },
    async stop() {
      await endProcess(pidFile, plan.stopSignal ?? 'SIGTERM', plan.stopTimeoutMs)
      writeState(config)
    },
    async kill() {
      await killProcess(pidFile)
      writeState(config)
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
  }
}

const notRunning = (name: ServerName) =>
  new ClickledgerError('unavailable', `${name} of the local stack does not run`)

function failedToStart(name: ServerName, why: string, logFile: string): ClickledgerError {
  const log = readFileSync(logFile, 'utf8').slice(-logCharsShown).trim()
  return new ClickledgerError(
    'unavailable',
    `${name} of the local stack did not start: ${why}. The end of ${logFile}:\n${log}`,
  )
}
