// Reading without a group: kafkajs' own connections to the brokers, below its consumer. Its public
// consumer can only read as a member of a group: a coordinator's round trip for each reader, an
// assignment for one partition, and a filter that shows records of interleaved aborted
// transactions.
import { ClickledgerError } from '#schemas/errors.ts'
import { backoffMs, pause } from '../wait.ts'
import {
  explained,
  hasType,
  isAway,
  type KafkaConnect,
  type KafkaSettings,
  within,
} from './kafka-client.ts'
import { type Broker, type Cluster, createCluster, type FetchedMessage } from './kafkajs-insides.ts'

/** One try, with connecting. */
const tryMs = 12_000
/** Questions (offsets) are asked again for so long; then the caller hears of it. */
const askMs = 10_000
/** Offsets of all that is in the log, not of what is committed yet: a transaction that its producer
 *  knows to be committed becomes readable a moment later, and must be counted from the first. */
const readUncommitted = 0
const readCommitted = 1
const transactionCoordinator = 1
const uncommittedBytesMax = 4 * 1024 * 1024
const latest = -1
const earliest = -2

export type CoordinatorOf = { readonly transactionalId: string } | { readonly group: string }

export interface KafkaLink {
  /** Works on a connected cluster that knows the topics. A cluster that failed is not used again. */
  run<T>(topics: readonly string[], work: (cluster: Cluster) => Promise<T>): Promise<T>
  /** Node that leads each partition, as last heard. @param anew - ask again */
  leaders(topic: string, anew?: boolean): Promise<readonly number[]>
  /**
   * The high watermark of each partition that the topic has now: what is proven by ends must not miss
   * one that was added. A reader gets there when no transaction is open.
   */
  endOffsets(topic: string): Promise<number[]>
  earliestOffset(topic: string, partition: number): Promise<number>
  offsetAt(topic: string, partition: number, time: number): Promise<number>
  /** -1 where nothing is committed. */
  committedOffsets(group: string, topic: string, partitions: readonly number[]): Promise<number[]>
  /** Of each partition: first offset, where the first open transaction begins, and the end. */
  bounds(topic: string): Promise<{ earliest: number; stable: number; end: number }[]>
  /** What a partition holds from an offset on, markers and open transactions too; one poll. */
  uncommitted(topic: string, partition: number, from: number): Promise<readonly FetchedMessage[]>
  /** Asks who coordinates the transactions of an id, or a group. */
  coordinator<T>(of: CoordinatorOf, work: (coordinator: Broker) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** What a cluster says that was disconnected because somebody else's work on it failed. */
function givenUp(cause: unknown): Error {
  const error = new Error('the connection was given up meanwhile', { cause })
  error.name = 'ConnectionGivenUp'
  return error
}

/** Topic and group names are the servers' own, with the namespace. */
export function openKafkaLink(connect: KafkaConnect, settings: KafkaSettings): KafkaLink {
  const known = new Map<string, readonly number[]>()
  const ends = new Map<Cluster, () => Promise<void>>()
  let current: Cluster | undefined
  let closed = false

  const open = (): Cluster => {
    const { client, end } = connect()
    const cluster = createCluster(client)
    ends.set(cluster, () => end(() => cluster.disconnect()))
    return cluster
  }

  const drop = async (cluster: Cluster): Promise<void> => {
    if (cluster === current) current = undefined
    const end = ends.get(cluster)
    ends.delete(cluster)
    await end?.()
  }

  const attempt = async <T>(
    topics: readonly string[],
    work: (cluster: Cluster) => Promise<T>,
  ): Promise<T> => {
    if (closed) throw new Error('this event log is closed')
    current ??= open()
    const cluster = current
    try {
      await cluster.connect()
      await cluster.addMultipleTargetTopics([...topics])
      await cluster.refreshMetadataIfNecessary()
      return await work(cluster)
    } catch (error) {
      if (cluster !== current && !closed) throw givenUp(error)
      if (hasType(error, 'KafkaJSProtocolError') && isAway(error)) {
        await cluster.refreshMetadata().catch(() => void drop(cluster))
      } else if (isAway(error)) {
        void drop(cluster)
      }
      throw error
    }
  }

  const run: KafkaLink['run'] = async (topics, work) => {
    try {
      return await within(tryMs, `reading ${topics.join(', ')}`, attempt(topics, work))
    } catch (error) {
      if (hasType(error, 'DeadlinePassed') && current) void drop(current)
      throw error
    }
  }

  /** A question: asked again while the brokers are away, for a bounded time. */
  const ask = async <T>(topic: string, work: (cluster: Cluster) => Promise<T>): Promise<T> => {
    const deadline = Date.now() + askMs
    for (let n = 1; ; n++) {
      try {
        return await run([topic], work)
      } catch (error) {
        if (hasType(error, 'UNKNOWN_TOPIC_OR_PARTITION')) {
          throw new ClickledgerError('not-found', `Kafka has no topic "${topic}"`, error)
        }
        if (!isAway(error) || Date.now() >= deadline || closed) throw explained(settings, error)
        await pause(backoffMs(n, 1_000))
      }
    }
  }

  const leadersOf = (cluster: Cluster, topic: string): readonly number[] => {
    const metadata = [...cluster.findTopicPartitionMetadata(topic)]
    return metadata.sort((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader)
  }

  /** Also partitions that were just added. */
  const lookForPartitions = (topic: string): Promise<void> =>
    ask(topic, async (cluster) => {
      await cluster.refreshMetadata()
      known.set(topic, leadersOf(cluster, topic))
    })

  /** @param wanted - undefined: every partition that is known */
  const listOffsets = (
    topic: string,
    wanted: readonly number[] | undefined,
    timestamp: number,
    isolationLevel = readUncommitted,
  ) =>
    ask(topic, async (cluster) => {
      const metadata = cluster.findTopicPartitionMetadata(topic)
      const offsets = new Map<number, number>()
      const byLeader = new Map<number, number[]>()
      for (const { partitionId, leader } of metadata) {
        if (wanted && !wanted.includes(partitionId)) continue
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), partitionId])
      }
      await Promise.all(
        [...byLeader].map(async ([nodeId, partitions]) => {
          const broker = await cluster.findBroker({ nodeId })
          const { responses } = await broker.listOffsets({
            isolationLevel,
            topics: [
              { topic, partitions: partitions.map((partition) => ({ partition, timestamp })) },
            ],
          })
          for (const { partition, offset } of responses.flatMap((r) => r.partitions)) {
            offsets.set(partition, Number(offset))
          }
        }),
      )
      return [...offsets].sort(([a], [b]) => a - b).map(([, offset]) => offset)
    })

  return {
    run,
    async leaders(topic, anew = false) {
      const before = known.get(topic)
      if (before && !anew) return before
      const look = async (cluster: Cluster) => {
        if (anew) await cluster.refreshMetadata()
        return leadersOf(cluster, topic)
      }
      const leaders = before ? await run([topic], look).catch(() => before) : await ask(topic, look)
      known.set(topic, leaders)
      return leaders
    },
    async endOffsets(topic) {
      await lookForPartitions(topic)
      return listOffsets(topic, undefined, latest)
    },
    earliestOffset: async (topic, partition) =>
      (await listOffsets(topic, [partition], earliest))[0] ?? 0,
    async offsetAt(topic, partition, time) {
      // The end first: what is appended in between must not be skipped.
      const [end = 0] = await listOffsets(topic, [partition], latest)
      const [found = -1] = await listOffsets(topic, [partition], Math.max(0, Math.ceil(time)))
      return found >= 0 ? found : end
    },
    committedOffsets: (group, topic, partitions) =>
      ask(topic, async (cluster) => {
        const coordinator = await cluster.findGroupCoordinator({ groupId: group })
        const { responses } = await coordinator.offsetFetch({
          groupId: group,
          topics: [{ topic, partitions: partitions.map((partition) => ({ partition })) }],
        })
        const found = new Map(
          responses.flatMap((r) => r.partitions).map((p) => [p.partition, Number(p.offset)]),
        )
        return partitions.map((partition) => found.get(partition) ?? -1)
      }),
    async bounds(topic) {
      await lookForPartitions(topic)
      const [earliestOf, ends, stableOf] = await Promise.all([
        listOffsets(topic, undefined, earliest),
        listOffsets(topic, undefined, latest),
        listOffsets(topic, undefined, latest, readCommitted),
      ])
      return ends.map((end, partition) => ({
        ...{ end, earliest: earliestOf[partition] ?? 0 },
        stable: Math.min(end, stableOf[partition] ?? end),
      }))
    },
    uncommitted: (topic, partition, from) =>
      ask(topic, async (cluster) => {
        const { leader: nodeId = -1 } =
          cluster.findTopicPartitionMetadata(topic).find((p) => p.partitionId === partition) ?? {}
        const broker = await cluster.findBroker({ nodeId })
        const partitions = [{ partition, fetchOffset: String(from), maxBytes: uncommittedBytesMax }]
        const { responses } = await broker.fetch({
          ...{ isolationLevel: readUncommitted, maxWaitTime: 1_000, minBytes: 1 },
          ...{ maxBytes: uncommittedBytesMax, topics: [{ topic, partitions }] },
        })
        return responses[0]?.partitions[0]?.messages ?? []
      }),
    coordinator: (of, work) =>
      run([], async (cluster) =>
        work(
          await cluster.findGroupCoordinator(
            'group' in of
              ? { groupId: of.group }
              : { groupId: of.transactionalId, coordinatorType: transactionCoordinator },
          ),
        ),
      ),
    async close() {
      closed = true
      if (current) await drop(current)
    },
  }
}
