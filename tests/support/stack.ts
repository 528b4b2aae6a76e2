// The real servers for tests, as infra/local started them: TEST_STACK names its state file. Every
// test gets a namespace of its own on them.
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { readSettings, type Settings } from '#platform/config.ts'
import { openStack, type Stack } from '../../infra/local/stack.ts'
import { scratchDir } from './contract.ts'

export interface StackState {
  /** CLICKLEDGER_ settings that name every server. */
  readonly env: Readonly<Record<string, string>>
  readonly servers: Readonly<Record<string, { readonly pid: number; readonly port: number }>>
}

/** @throws Error where no stack was started for this test */
function stateFile(): string {
  const path = process.env.TEST_STACK
  if (!path) throw new Error('TEST_STACK is not set: run `npm run test:stack`')
  return path
}

/** The servers of the stack, to be killed and started again. */
export const testServers = (): Stack => openStack(stateFile())

/** @throws Error where no stack was started for this test */
export const stackState = (): StackState => JSON.parse(readFileSync(stateFile(), 'utf8'))

/** A name that nobody else uses on the servers. */
export const freshNamespace = (): string => `t${randomBytes(5).toString('hex')}`

/** Environment of an installation of its own on the real servers. */
export function stackEnv(
  t: ExecutionContext,
  more: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return {
    ...stackState().env,
    CLICKLEDGER_NAMESPACE: freshNamespace(),
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    ...more,
  }
}

/** The same, read. */
export const stackSettings = (
  t: ExecutionContext,
  more: Readonly<Record<string, string>> = {},
): Settings => readSettings(stackEnv(t, more))
