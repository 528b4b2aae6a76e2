// `npm run test:stack [-- ava arguments]`: boots a stack of its own on free ports in a folder of its
// own, runs the tests that need real servers, and stops it, however the tests end. TEST_STACK set to
// the state file of a running stack: runs on that one and leaves it as it is.
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lockDirectory } from '#platform/directory-lock.ts'
import { describeError } from '../../cli/exit.ts'
import { print, signalAbort } from '../../cli/options.ts'
import { findStack, startStack } from './stack.ts'

const dirPrefix = 'clickledger-stack-'
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs the tests that are asked for; all: first those that share the servers, then those that break them. */
async function runTests(stateFile: string, signal: AbortSignal): Promise<number> {
  if (process.argv.length > 2) return runAva(stateFile, signal)
  const shared = await runAva(stateFile, signal, 'shared')
  if (signal.aborted) return shared
  return Math.max(shared, await runAva(stateFile, signal, 'faults'))
}

/** Runs ava, its output as it comes. @returns its exit code */
function runAva(stateFile: string, signal: AbortSignal, phase = ''): Promise<number> {
  const args = ['--config', 'ava.stack.config.mjs', ...process.argv.slice(2)]
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const child = spawn(join(root, 'node_modules/.bin/ava'), args, {
    ...{ cwd: root, stdio: 'inherit' },
    env: { ...process.env, TEST_STACK: stateFile, STACK_TESTS: phase },
  })
  // In a terminal Ctrl-C reaches ava by itself; a signal to this process alone must, too.
  const abort = () => child.kill('SIGTERM')
  signal.addEventListener('abort', abort, { once: true })
  child.once('error', reject)
  child.once('close', (code, by) => {
    if (by) print(`ava was ended by ${by}`) // it could not say so itself
    resolve(code ?? 1)
  })
  return promise
}

/** Stacks of runs that were killed and could not stop them. */
async function killAbandoned(): Promise<void> {
  const dirs = readdirSync(tmpdir()).filter((name) => name.startsWith(dirPrefix))
  for (const dir of dirs.map((name) => join(tmpdir(), name))) {
    const stack = findStack(dir)
    if (!stack) continue
    try {
      lockDirectory(join(dir, 'owner'))() // free: who held it is dead
    } catch {
      continue
    }
    await stack.kill()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function main(): Promise<number> {
  const signal = signalAbort()
  if (process.env.TEST_STACK) return runTests(process.env.TEST_STACK, signal)
  await killAbandoned()
  const dir = mkdtempSync(join(tmpdir(), dirPrefix))
  const unlock = lockDirectory(join(dir, 'owner'))
  chmodSync(dir, 0o711) // PostgreSQL may have to run as another user
  const startedAt = performance.now()
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1)
  const progress = (line: string) => print(`${seconds().padStart(6)} s  ${line}`)
  let code = 1
  try {
    const stack = await startStack({ dir, ports: 'free', progress, signal })
    progress('the stack is up')
    try {
      code = await runTests(stack.stateFile, signal)
    } finally {
      await stack.kill() // its data go, too: no need for an orderly end
      progress('the stack is stopped')
    }
  } finally {
    keepLogs(dir, code)
    unlock()
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  return code
}

/** What the servers said is worth keeping where a test failed. */
function keepLogs(dir: string, code: number): void {
  const logs = join(root, 'data', 'test-stack-logs')
  rmSync(logs, { recursive: true, force: true })
  if (code === 0) return
  cpSync(join(dir, 'log'), logs, { recursive: true })
  print(`logs of the servers: ${logs}`)
}

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`test:stack: ${describeError(error)}\n`)
  process.exitCode = 1
}
