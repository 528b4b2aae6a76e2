// A whole instance in this process, and its log read afterwards.
import { randomUUID } from 'node:crypto'
import type { ExecutionContext } from 'ava'
import type { SharedClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { openEventLog } from '#platform/stack.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { type RunningInstance, startAll } from '../../cli/start.ts'
import { scratchDir } from './contract.ts'
import { askServing } from './processes.ts'

export interface TestInstance extends RunningInstance {
  readonly settings: Settings
  /** What the settings were read from; for processes beside it. */
  readonly env: Readonly<Record<string, string>>
  readonly key: string
  /** GET as JSON from serving, with the admin key. */
  ask<T>(path: string): Promise<T>
  post<T>(path: string, body: unknown): Promise<T>
}

/** Starts an instance on free ports and a fresh directory; closed with the test. */
export async function startInstance(
  t: ExecutionContext,
  more: Readonly<Record<string, string>> = {},
  clock?: SharedClock,
): Promise<TestInstance> {
  const key = `test-${randomUUID()}`
  const env = {
    CLICKLEDGER_ADMIN_KEY: key,
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_INGEST_PORT: '0',
    CLICKLEDGER_SERVING_PORT: '0',
    CLICKLEDGER_LOG_LEVEL: process.env.LOG_LEVEL ?? 'error',
    ...more,
  }
  const settings = readSettings(env)
  const instance = await startAll(settings, { quiet: true, ...(clock ? { clock } : {}) })
  t.teardown(() => instance.close())
  return {
    ...instance,
    ...{ settings, env, key },
    ask: (path) => askServing(instance.servingUrl, key, path),
    post: (path, body) => askServing(instance.servingUrl, key, path, body),
  }
}

/** Everything on clicks.judged of a data directory. */
export async function readJudged(settings: Settings): Promise<JudgedClick[]> {
  const log = await openEventLog(settings, Date.now)
  const judged: JudgedClick[] = []
  for (const [partition, end] of (await log.endOffsets(topics.judged.name)).entries()) {
    const reader = await log.reader(topics.judged.name, partition, 0)
    while (reader.position < end) {
      for (const { value } of await reader.read(5_000, 1_000)) {
        judged.push(JSON.parse(Buffer.from(value).toString('utf8')))
      }
    }
  }
  await log.close()
  return judged
}
