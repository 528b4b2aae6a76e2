// Python for the interoperability tests: a virtual environment with the pinned packages of
// requirements.txt, made once and kept in the user's cache folder under the hash of what is in it.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { lockDirectory } from '#platform/directory-lock.ts'
import { until } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const ownRequirements = join(here, 'requirements.txt')
/** 200 MB to fetch and 700 MB to unpack, most of it Spark. */
const installMs = 15 * 60_000

export interface RunOptions {
  /** Written to its standard input. */
  readonly input?: Uint8Array
  readonly timeoutMs?: number
}

/** A script that answers each line with a line. */
export interface Conversation {
  /** One at a time. @throws Error with what it wrote to stderr, where it ended or gave no answer in time */
  ask(line: string, timeoutMs: number): Promise<string>
  close(): void
}

export interface Python {
  /** Folder of its programs; spark-submit is among them. */
  readonly programs: string
  /** Runs a script of this folder. @returns its standard output @throws Error with what it wrote to stderr */
  run(script: string, args: readonly string[], options?: RunOptions): Promise<string>
  start(script: string): Conversation
}

/**
 * Python with the packages of a file installed. The first call on a machine fetches them, in some minutes.
 * @throws ClickledgerError `missing-program` where there is no python3 with venv
 */
export async function openPython(requirements = ownRequirements): Promise<Python> {
  const version = await run('python3', ['--version']).catch((error) => {
    throw missing('python3', error)
  })
  const hash = createHash('sha256').update(version).update(readFileSync(requirements))
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const dir = join(cache, 'clickledger', 'python', hash.digest('hex').slice(0, 16))
  const unlock = await until(() => tryLock(dir), {
    ...{ timeoutMs: installMs, everyMs: 500, what: `another process installs into ${dir}` },
  })
  try {
    if (!existsSync(join(dir, 'complete'))) await install(dir, requirements)
  } finally {
    unlock()
  }
  const python = join(dir, 'venv', 'bin', 'python')
  return {
    programs: join(dir, 'venv', 'bin'),
    run: (script, args, options) => run(python, ['-u', join(here, script), ...args], options),
    start: (script) => converse(python, ['-u', join(here, script)]),
  }
}

function tryLock(dir: string): (() => void) | undefined {
  try {
    return lockDirectory(dir)
  } catch (error) {
    if (error instanceof ClickledgerError && error.code === 'already-running') return undefined
    throw error
  }
}

/** Begins anew whatever is half there: `complete` is written last. */
async function install(dir: string, requirements: string): Promise<void> {
  const venv = join(dir, 'venv')
  rmSync(venv, { recursive: true, force: true })
  console.error(`installing ${requirements} into ${dir} (once, some minutes)`)
  await run('python3', ['-m', 'venv', venv]).catch((error) => {
    throw missing('the venv module of Python (Debian: python3-venv)', error)
  })
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await run(join(venv, 'bin', 'python'), [...pip, '--requirement', requirements], {
    timeoutMs: installMs,
  })
  writeFileSync(join(dir, 'complete'), '')
}

const missing = (what: string, cause: unknown) =>
  new ClickledgerError(
    'missing-program',
    `The interoperability tests need ${what}: other implementations read there what the platform writes. Install it and run them again.`,
    cause,
  )

/** Ends the program with its children: Spark is a Java process that Python started. */
function kill(child: ChildProcess): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // it has ended
  }
}

const stderrKept = 4_000

/** Starts a program that does not outlive this process, and keeps the end of what it complains about. */
function launch(program: string, args: readonly string[]) {
  const child = spawn(program, args, { detached: true, stdio: 'pipe' })
  let complaints = ''
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = (complaints + chunk.toString()).slice(-stderrKept)
  })
  child.stdin.on('error', () => {}) // it ended without reading: its exit code tells
  const onExit = () => kill(child)
  process.once('exit', onExit)
  child.once('close', () => process.off('exit', onExit))
  const fault = (why: string) =>
    new Error(`${[program, ...args].join(' ').slice(0, 300)}: ${why}\n${complaints}`)
  return { child, fault }
}

/** Kills and rejects what takes too long. */
async function within<T>(
  { child, fault }: ReturnType<typeof launch>,
  timeoutMs: number,
  work: Promise<T>,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    kill(child)
    reject(fault(`no answer within ${timeoutMs} ms`))
  }, timeoutMs)
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

function run(
  program: string,
  args: readonly string[],
  { input, timeoutMs = 120_000 }: RunOptions = {},
): Promise<string> {
  const launched = launch(program, args)
  const { child, fault } = launched
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const output: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.on('error', reject)
  child.on('close', (code, signal) => {
    if (code === 0) resolve(Buffer.concat(output).toString('utf8'))
    else reject(fault(`ended with ${signal ?? `code ${code}`}`))
  })
  child.stdin.end(input)
  return within(launched, timeoutMs, promise)
}

function converse(program: string, args: readonly string[]): Conversation {
  const launched = launch(program, args)
  const { child, fault } = launched
  child.on('error', () => {}) // it closes too
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(line, timeoutMs) {
      child.stdin.write(`${line}\n`)
      const answer = await within(launched, timeoutMs, answers.next())
      if (answer.done) throw fault('it ended')
      return answer.value
    },
    close: () => kill(child),
  }
}
