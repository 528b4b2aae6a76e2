// The two stacks that end-to-end tests run on, unchanged.
import type { ExecutionContext } from 'ava'
import { readSettings } from '#platform/config.ts'
import { scratchDir } from './contract.ts'
import { dropDruid } from './druid.ts'
import { stackEnv } from './stack.ts'

export interface TestStack {
  readonly name: string
  /** Settings of a fresh, empty installation. */
  env(t: ExecutionContext): Readonly<Record<string, string>>
  /** How far a count of distinct values may be off, as a share of it. */
  readonly uniquesError: number
}

export const embedded: TestStack = {
  name: 'embedded',
  env: (t) => ({ CLICKLEDGER_DATA_DIR: scratchDir(t) }),
  uniquesError: 0,
}

export const real: TestStack = {
  name: 'real servers',
  env(t) {
    const env = stackEnv(t)
    t.teardown(() => dropDruid(readSettings(env)))
    return env
  },
  // HLL with lgK 12: relative standard error 1.04 / sqrt(2^12) = 1.6 %; three of them.
  uniquesError: 0.05,
}
