// The real program in processes of its own, for tests that kill it. It is started as bin/ starts
// it, but without bin/ in between: a signal must hit the process that does the work.
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { until } from '#platform/wait.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const stderrCharsMax = 1_000_000
/** Of a program's log, shown with a test that fails. */
const shownCharsMax = 8_000

export type Command = 'start' | 'ingest' | 'speed' | 'archive' | 'serve'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  readonly isRunning: boolean
  readonly stderr: string
  /** Sends a signal and waits for the end. */
  end(signal: 'SIGKILL' | 'SIGTERM'): Promise<Ended>
  /** Waits until its log matches; gives the match. @throws Error where it ends before */
  said(pattern: RegExp): Promise<RegExpMatchArray>
}

/** Starts the program; what is left of it is killed with the test. */
export function startProgram(
  t: ExecutionContext,
  command: Command,
  env: Readonly<Record<string, string>>,
): Program {
  const child = spawn(`${root}node_modules/.bin/node`, [`${root}cli/main.ts`, command], {
    env: {
      PATH: process.env.PATH,
      UV_THREADPOOL_SIZE: '16',
      CLICKLEDGER_INGEST_PORT: '0',
      CLICKLEDGER_SERVING_PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrCharsMax)
  })
  let ending: Ended | undefined
  const ended = new Promise<Ended>((resolve) => {
    child.once('close', (code, signal) => {
      ending = { code, signal }
      resolve(ending)
    })
  })
  t.teardown(async () => {
    if (!ending) child.kill('SIGKILL')
    await ended
    if (!t.passed) t.log(`the last that ${command} said:\n${stderr.slice(-shownCharsMax)}`)
  })
  return {
    ...{ child, ended },
    get isRunning() {
      return ending === undefined
    },
    get stderr() {
      return stderr
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
    said: (pattern) =>
      until(
        () => {
          const match = stderr.match(pattern)
          if (!match && ending) throw new Error(`${command} ended: ${stderr.slice(-4_000)}`)
          return match
        },
        { what: () => `${command} says ${pattern}; it said ${stderr.slice(-2_000)}` },
      ),
  }
}

const urlOf = async (program: Program, layer: string): Promise<string> => {
  const [, url = ''] = await program.said(
    new RegExp(`"layer":"${layer}"[^\n]*?(http://127\\.0\\.0\\.1:\\d+)`),
  )
  return url
}

/** Where ingest of this program listens, once it does. */
export const ingestUrlOf = (program: Program) => urlOf(program, 'ingest')
/** Where serving of this program listens, once it does. */
export const servingUrlOf = (program: Program) => urlOf(program, 'serving')

const notNow = new Set([429, 503, 504])

/**
 * Asks serving, as JSON; again while it cannot answer for the moment: that is an honest refusal, as while
 * an hour is being loaded or a server has just come back.
 */
export async function askServing<T>(
  url: string,
  key: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const ask = async () => {
    const answer = await fetch(`${url}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (notNow.has(answer.status) && answer.headers.has('retry-after')) return undefined
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
    return { told: JSON.parse(text) as T }
  }
  const { told } = await until(ask, { everyMs: 100, what: `an answer to ${path}` })
  return told
}
