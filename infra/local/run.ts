// Runs the programs that fetch and install, with all that they start.
import { spawn } from 'node:child_process'

const outputCharsMax = 4_000

export interface Fetching {
  /** Told, in one line, what is fetched and how long it took. */
  readonly progress: (line: string) => void
  readonly signal?: AbortSignal | undefined
}

export interface RunOptions {
  /** Besides the environment of the caller. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  readonly signal?: AbortSignal | undefined
}

/** Runs a program to its end. @throws Error with the end of what it said */
export async function run(
  program: string,
  args: readonly string[],
  { env, cwd, user, signal }: RunOptions = {},
): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // A group of its own: its children (a compiler, a JVM) end with it.
  const child = spawn(program, args, {
    ...{ cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] },
    ...(user ?? {}),
    env: { ...process.env, ...env },
  })
  const abort = () => child.pid && process.kill(-child.pid, 'SIGTERM')
  signal?.addEventListener('abort', abort, { once: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-outputCharsMax)
    })
  }
  child.once('error', reject)
  child.once('close', (code) => {
    if (code === 0) resolve()
    else reject(new Error(`${[program, ...args].join(' ')} failed (${code}):\n${output.trim()}`))
  })
  try {
    await promise
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}
