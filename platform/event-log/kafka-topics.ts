// Topics: made where they are missing, checked where they are there. A wrong number of partitions
// would send the clicks of one visitor to two places, so it stops the process.
import kafkajs from 'kafkajs'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Topic } from '#schemas/topics.ts'
import { until } from '../wait.ts'
import { hasType, type KafkaNames, type KafkaSettings } from './kafka-client.ts'

const leadersMs = 30_000
/** What is said of a partition that nobody leads yet. */
const leaderless = [
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
] as const
const topicResource = kafkajs.ConfigResourceTypes.TOPIC

export interface EnsureTopics {
  readonly admin: kafkajs.Admin
  readonly settings: KafkaSettings
  readonly names: KafkaNames
  readonly topics: readonly Topic[]
  readonly partitions: number
}

export async function ensureKafkaTopics(parts: EnsureTopics): Promise<void> {
  const { admin, topics, names, partitions } = parts
  const existing = new Set(await admin.listTopics())
  const missing = topics.filter(({ name }) => !existing.has(names.topic(name)))
  if (missing.length > 0) await create(parts, missing)
  await until(() => haveLeaders(parts), {
    timeoutMs: leadersMs,
    everyMs: 100,
    what: `leaders of ${topics.map(({ name }) => names.topic(name)).join(', ')}`,
  })
  const found = await admin.fetchTopicMetadata({ topics: topics.map((t) => names.topic(t.name)) })
  for (const { name, partitions: have } of found.topics) {
    if (have.length === partitions) continue
    throw new ClickledgerError(
      'invalid-settings',
      `topic ${name} has ${have.length} partitions, but CLICKLEDGER_PARTITIONS is ${partitions}. Set CLICKLEDGER_PARTITIONS to ${have.length}, or choose another CLICKLEDGER_NAMESPACE for an installation with new topics.`,
    )
  }
  await checkRetention(parts)
}

async function create(parts: EnsureTopics, missing: readonly Topic[]): Promise<void> {
  const { admin, settings, names, partitions } = parts
  const { brokers } = await admin.describeCluster()
  const replicationFactor = Math.min(settings.CLICKLEDGER_KAFKA_REPLICATION, brokers.length)
  const make = (configs: readonly { name: string; value: string }[]) =>
    admin.createTopics({
      waitForLeaders: false,
      topics: missing.map(({ name, retentionMs }) => ({
        topic: names.topic(name),
        numPartitions: partitions,
        replicationFactor,
        configEntries: [...configs, { name: 'retention.ms', value: `${retentionMs}` }],
      })),
    })
  const configs = [
    { name: 'min.insync.replicas', value: replicationFactor >= 3 ? '2' : '1' },
    { name: 'cleanup.policy', value: 'delete' },
    { name: 'compression.type', value: 'producer' },
    { name: 'message.timestamp.type', value: 'CreateTime' },
  ]
  // A node whose clock is an hour ahead must not be stuck: its clicks are late or early, not lost.
  const anyTime = { name: 'message.timestamp.after.max.ms', value: '9223372036854775807' }
  try {
    await make([...configs, anyTime])
  } catch (error) {
    if (hasType(error, 'TOPIC_ALREADY_EXISTS')) return // another process was faster
    if (!isInvalidConfig(error)) throw error
    await make(configs) // brokers that do not know the limit do not have it
  }
}

/** kafkajs gathers what the topics' errors are in an error of its own. */
const isInvalidConfig = (error: unknown): boolean =>
  ((error as { errors?: readonly unknown[] }).errors ?? []).some((one) =>
    hasType(one, 'INVALID_CONFIG'),
  )

/** Every partition has a leader, and the leader knows it: it hears of a new topic after the controller. */
async function haveLeaders({ admin, names, topics }: EnsureTopics): Promise<boolean> {
  const all = topics.map(({ name }) => names.topic(name))
  try {
    const metadata = await admin.fetchTopicMetadata({ topics: all })
    const isLed = metadata.topics.every(
      (topic) => topic.partitions.length > 0 && topic.partitions.every(({ leader }) => leader >= 0),
    )
    if (isLed) await Promise.all(all.map((topic) => admin.fetchTopicOffsets(topic)))
    return isLed
  } catch (error) {
    if (hasType(error, ...leaderless)) return false
    throw error
  }
}

async function checkRetention({ admin, names, topics }: EnsureTopics): Promise<void> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: topics.map(({ name }) => ({
      type: topicResource,
      name: names.topic(name),
      configNames: ['retention.ms'],
    })),
  })
  for (const { resourceName, configEntries } of resources) {
    const wanted = topics.find(({ name }) => names.topic(name) === resourceName)?.retentionMs ?? 0
    const value = configEntries.find(({ configName }) => configName === 'retention.ms')?.configValue
    const kept = value === undefined || value === null ? wanted : Number(value)
    if (kept < 0 || kept >= wanted) continue // negative: for ever
    throw new ClickledgerError(
      'invalid-settings',
      `topic ${resourceName} keeps records for ${kept} ms (retention.ms), but ${wanted} are needed. Raise retention.ms of the topic to ${wanted}, or choose another CLICKLEDGER_NAMESPACE for an installation with new topics.`,
    )
  }
}
