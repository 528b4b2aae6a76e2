// kafkajs below its public interface, as far as it is used here: the one file that knows its insides.
// Its version is pinned.
import type { Kafka } from 'kafkajs'

export interface FetchedMessage {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: Readonly<Record<string, unknown>>
  readonly isControlRecord?: boolean
  readonly batchContext: { readonly producerId: string; readonly inTransaction: boolean }
}

export interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  readonly abortedTransactions?: readonly { producerId: string; firstOffset: string }[]
  readonly messages: readonly FetchedMessage[]
}

/** A transactional id as its last opening has it. */
export interface Producing {
  readonly transactionalId: string
  readonly producerId: string
  readonly producerEpoch: number
}

interface OffsetsOf {
  readonly topic: string
  readonly partitions: readonly { partition: number; offset: string }[]
}

/** kafkajs' Broker, as far as it is used here. */
export interface Broker {
  fetch(request: {
    isolationLevel: number
    maxWaitTime: number
    minBytes: number
    maxBytes: number
    topics: {
      topic: string
      partitions: { partition: number; fetchOffset: string; maxBytes: number }[]
    }[]
  }): Promise<{ responses: { topicName: string; partitions: FetchedPartition[] }[] }>
  listOffsets(request: {
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>
  offsetFetch(request: {
    groupId: string
    topics: { topic: string; partitions: { partition: number }[] }[]
  }): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>
  initProducerId(request: {
    transactionalId: string
    transactionTimeout: number
  }): Promise<{ producerId: string; producerEpoch: number }>
  produce(
    request: Producing & {
      topicData: {
        topic: string
        partitions: { partition: number; firstSequence: number; messages: unknown[] }[]
      }[]
    },
  ): Promise<unknown>
  addPartitionsToTxn(
    request: Producing & { topics: { topic: string; partitions: number[] }[] },
  ): Promise<unknown>
  addOffsetsToTxn(request: Producing & { groupId: string }): Promise<unknown>
  txnOffsetCommit(
    request: Producing & { groupId: string; topics: readonly OffsetsOf[] },
  ): Promise<unknown>
  endTxn(request: Producing & { transactionResult: boolean }): Promise<unknown>
}

/** kafkajs' Cluster, as far as it is used here. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: string[]): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findBroker(wanted: { nodeId: number }): Promise<Broker>
  findGroupCoordinator(wanted: { groupId: string; coordinatorType?: number }): Promise<Broker>
  findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[]
}

type CreateCluster = (options: {
  allowAutoTopicCreation: boolean
  metadataMaxAge: number
}) => Cluster

/** A client's connections to all brokers. */
export function createCluster(client: Kafka): Cluster {
  const found = Object.getOwnPropertySymbols(client).find((symbol) =>
    symbol.description?.endsWith(':createCluster'),
  )
  const create = found && (client as unknown as Record<symbol, unknown>)[found]
  if (typeof create !== 'function') throw new Error('this is not the kafkajs that was tested')
  return (create as CreateCluster)({ allowAutoTopicCreation: false, metadataMaxAge: 60_000 })
}
