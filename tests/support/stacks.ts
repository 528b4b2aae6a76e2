// The two stacks that end-to-end tests run on, unchanged.
import type { ExecutionContext } from 'ava'
import { readSettings, type Settings } from '#platform/config.ts'
import { kafkaConnect, kafkaNames } from '#platform/event-log/kafka-client.ts'
import { openEventLog } from '#platform/stack.ts'
import { topics } from '#schemas/topics.ts'
import { scratchDir } from './contract.ts'
import { dropDruid } from './druid.ts'
import { letServersGiveWay } from './give-way.ts'
import { stackEnv } from './stack.ts'

export interface TestStack {
  readonly name: string
  /** Settings of a fresh, empty installation. */
  env(t: ExecutionContext): Readonly<Record<string, string>>
  /** Gives the topics of an installation more partitions, while it runs. */
  addPartitions(settings: Settings, partitions: number): Promise<void>
  /** Lets its servers go behind ingest while a test runs. */
  giveWay?(t: ExecutionContext): void
  /** How far a count of distinct values may be off, as a share of it. */
  readonly uniquesError: number
}

export const embedded: TestStack = {
  name: 'embedded',
  env: (t) => ({ CLICKLEDGER_DATA_DIR: scratchDir(t) }),
  async addPartitions(settings, partitions) {
    const log = await openEventLog({ ...settings, CLICKLEDGER_PARTITIONS: partitions }, Date.now)
    await log.close()
  },
  uniquesError: 0,
}

export const real: TestStack = {
  name: 'real servers',
  giveWay: letServersGiveWay,
  env(t) {
    const env = stackEnv(t)
    t.teardown(() => dropDruid(readSettings(env)))
    return env
  },
  async addPartitions(settings, count) {
    const names = kafkaNames(settings)
    const { client, end } = kafkaConnect(settings)()
    const admin = client.admin()
    await admin.connect()
    try {
      const topicPartitions = Object.values(topics).map(({ name }) => ({
        topic: names.topic(name),
        count,
      }))
      await admin.createPartitions({ topicPartitions })
    } finally {
      await end(() => admin.disconnect())
    }
  },
  // HLL with lgK 12: relative standard error 1.04 / sqrt(2^12) = 1.6 %; three of them.
  uniquesError: 0.05,
}
