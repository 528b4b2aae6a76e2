// Server processes that outlive who started them. Who they are is in a pid file: the process id and
// the moment it began, written by the process itself before it becomes the server. A pid alone is
// not enough: once the server has ended, the same number may be somebody else's.
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { until } from '#platform/wait.ts'

const logBytesMax = 16 * 1024 * 1024
const goneWithinMs = 15_000
const launchedWithinMs = 15_000
const collectedWithinMs = 5_000
const hasProc = existsSync('/proc/self/stat')

export interface ProcessIdentity {
  readonly pid: number
  /** When it began, in whatever unit the system tells it. */
  readonly begun: string
  readonly parent: number
  /** Ended, but not yet collected by its parent. */
  readonly isZombie: boolean
}

/**
 * Reads a line of /proc/PID/stat, or of `ps -o pid=,ppid=,stat=,lstart=`.
 * @returns undefined for anything else
 */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  // The name of the program stands in brackets and may itself hold brackets and blanks.
  const stat = /^(\d+) \(.*\) (\S) (\d+) (?:\S+ ){17}(\d+)/s.exec(text)
  const ps = /^\s*(\d+)\s+(\d+)\s+(\S)\S*\s+(\S.*?)\s*$/.exec(text)
  const [pid, state, parent, begun] = stat ? stat.slice(1) : ps ? [ps[1], ps[3], ps[2], ps[4]] : []
  if (!begun) return undefined
  return { pid: Number(pid), begun, parent: Number(parent), isZombie: state === 'Z' }
}

const psColumns = 'pid=,ppid=,stat=,lstart='

function identityOf(pid: number): ProcessIdentity | undefined {
  try {
    return parseIdentity(
      hasProc
        ? readFileSync(`/proc/${pid}/stat`, 'utf8')
        : execFileSync('ps', ['-o', psColumns, '-p', String(pid)], { encoding: 'utf8' }),
    )
  } catch {
    return undefined
  }
}

/** Processes of this one, at any depth. A process that begins meanwhile may be missing. */
function descendantsOf(pid: number): number[] {
  const all = hasProc
    ? readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .map((entry) => identityOf(Number(entry)))
    : execFileSync('ps', ['-A', '-o', psColumns], { encoding: 'utf8' })
        .split('\n')
        .map(parseIdentity)
  const childrenOf = Map.groupBy(
    all.filter((p) => p !== undefined),
    (p) => p.parent,
  )
  const below = (parent: number): number[] =>
    (childrenOf.get(parent) ?? []).flatMap((child) => [child.pid, ...below(child.pid)])
  return below(pid)
}

/** The pid of the process that wrote this file, where that very process still runs. */
export function runningPid(pidFile: string): number | undefined {
  let written: ProcessIdentity | undefined
  try {
    written = parseIdentity(readFileSync(pidFile, 'utf8'))
  } catch {
    return undefined
  }
  const now = written && identityOf(written.pid)
  return now && !now.isZombie && now.begun === written?.begun ? now.pid : undefined
}

/**
 * Sends a signal to the process of this pid file and nobody else.
 * @param withChildren - to the processes that it started, too
 * @returns whether there was one
 */
export function signalProcess(
  pidFile: string,
  signal: NodeJS.Signals,
  { withChildren = false } = {},
): boolean {
  const pid = runningPid(pidFile)
  if (pid === undefined) return false
  const send = (to: number) => {
    try {
      process.kill(to, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
  // Children are looked for first: they are nobody's once their parent is dead.
  const children = withChildren ? descendantsOf(pid) : []
  send(pid)
  children.forEach(send)
  return true
}

/** Ends it in an orderly way; what has not ended within `timeoutMs` is killed. */
export async function endProcess(pidFile: string, signal: NodeJS.Signals, timeoutMs: number) {
  const pid = runningPid(pidFile)
  if (!signalProcess(pidFile, signal)) return
  signalProcess(pidFile, 'SIGCONT', { withChildren: true }) // a paused one hears no other signal
  await untilGone(pidFile, pid, timeoutMs).catch(() => killProcess(pidFile))
}

/** Ends it as a crash does, its children with it, and waits until it is gone. */
export async function killProcess(pidFile: string) {
  const pid = runningPid(pidFile)
  if (!signalProcess(pidFile, 'SIGKILL', { withChildren: true })) return
  await untilGone(pidFile, pid, goneWithinMs)
  // PostgreSQL takes a dead server that nobody has collected yet for a living one. Where nobody ever
  // does, there is nothing to wait for.
  if (pid !== undefined) await untilCollected(pid).catch(() => {})
}

// The file stays: it is known to be old, and by now it may be that of the next process.
const untilGone = (pidFile: string, pid: number | undefined, timeoutMs: number) =>
  until(() => runningPid(pidFile) !== pid, {
    ...{ timeoutMs, everyMs: 25 },
    what: `the process of ${pidFile} ends`,
  })

const untilCollected = (pid: number) =>
  until(() => !identityOf(pid)?.isZombie, {
    ...{ timeoutMs: collectedWithinMs, everyMs: 25, what: `process ${pid} is collected` },
  })

export interface Launch {
  readonly command: readonly [program: string, ...args: string[]]
  readonly env?: Readonly<Record<string, string>>
  /** Run as this user; absent: as the caller. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** How far others go first where processors are short: 0 (nobody) to 19. */
  readonly niceness?: number
  readonly cwd: string
  readonly pidFile: string
  readonly logFile: string
}

/** Writes who it is, then becomes the command: the same process, so no server is ever unrecorded. */
const launcher = `(cat /proc/$$/stat 2>/dev/null || ps -o ${psColumns} -p $$) >&3; exec 3>&-; exec nice -n "$@"`

/**
 * Starts a server in a session of its own, which Ctrl-C in the terminal does not reach, and returns
 * once its pid file is written. What it says goes to the log file.
 * @throws Error where the process ends before that
 */
export async function launch(options: Launch): Promise<void> {
  const { command, env, user, niceness = 0, cwd, pidFile, logFile } = options
  for (const file of [pidFile, logFile]) mkdirSync(dirname(file), { recursive: true })
  const logBytes = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  if (logBytes > logBytesMax) renameSync(logFile, `${logFile}.old`)
  // Opened here, by who may write there: the server itself may run as another user.
  const log = openSync(logFile, 'a')
  const pid = openSync(pidFile, 'w')
  const child = spawn('/bin/sh', ['-c', launcher, 'sh', String(niceness), ...command], {
    ...{ cwd, detached: true, stdio: ['ignore', log, log, pid] },
    ...(user ?? {}),
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8', TZ: 'UTC', ...env },
  })
  closeSync(log)
  closeSync(pid)
  child.unref()
  const failed = Promise.withResolvers<never>()
  child.once('error', failed.reject)
  child.once('exit', (code, signal) =>
    failed.reject(new Error(`${command[0]} ended at once (${signal ?? code}); see ${logFile}`)),
  )
  const written = until(() => runningPid(pidFile), {
    ...{ timeoutMs: launchedWithinMs, everyMs: 5, what: `${command[0]} is launched` },
  })
  failed.promise.catch(() => {}) // after the launch, an end is noticed by its pid file
  await Promise.race([written, failed.promise])
}

/** Resident memory of a process in bytes; undefined where it cannot be told. */
export function residentBytes(pid: number): number | undefined {
  try {
    const text = hasProc
      ? (/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '')
      : execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })
    return Number(text) * 1024 || undefined
  } catch {
    return undefined
  }
}
