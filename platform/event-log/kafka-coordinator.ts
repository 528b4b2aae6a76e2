// A transactional id by hand: what kafkajs' producer does behind its transactions, without records.
// It moves a committed offset, and ends what brokers left open.
import { pause } from '../wait.ts'
import { hasType } from './kafka-client.ts'
import type { KafkaLink } from './kafka-link.ts'
import type { Broker, Producing } from './kafkajs-insides.ts'

const retryMs = 20
const retries = 500

export interface Fenced {
  readonly producing: Producing
  /** Commits an offset of the group. */
  moveTo(at: {
    readonly group: string
    readonly topic: string
    readonly partition: number
    readonly offset: number
  }): Promise<void>
  /** Writes a marker to each of the partitions. */
  end(
    outcome: 'commit' | 'abort',
    partitions: readonly { readonly topic: string; readonly partition: number }[],
  ): Promise<void>
}

/** Takes the transactional id: older producers are fenced, and what they had open is finished. */
export async function fence(
  link: KafkaLink,
  transactionalId: string,
  transactionTimeout: number,
): Promise<Fenced> {
  /** The coordinator is busy for a moment after each end of a transaction. */
  const asked = async <T>(work: (coordinator: Broker) => Promise<T>): Promise<T> => {
    for (let n = 1; ; n++) {
      try {
        return await link.coordinator({ transactionalId }, work)
      } catch (error) {
        if (n === retries || !hasType(error, 'CONCURRENT_TRANSACTIONS')) throw error
        await pause(retryMs)
      }
    }
  }
  const init = { transactionalId, transactionTimeout }
  const { producerId, producerEpoch } = await asked((broker) => broker.initProducerId(init))
  const producing = { transactionalId, producerId, producerEpoch }
  const endTransaction = (transactionResult: boolean) =>
    asked((broker) => broker.endTxn({ ...producing, transactionResult }))
  return {
    producing,
    async moveTo({ group, topic, partition, offset }) {
      const topics = [{ topic, partitions: [{ partition, offset: String(offset) }] }]
      await asked((broker) => broker.addOffsetsToTxn({ ...producing, groupId: group }))
      await link.coordinator({ group }, (broker) =>
        broker.txnOffsetCommit({ ...producing, groupId: group, topics }),
      )
      await endTransaction(true)
    },
    async end(outcome, partitions) {
      const topics = partitions.map(({ topic, partition }) => ({ topic, partitions: [partition] }))
      await asked((broker) => broker.addPartitionsToTxn({ ...producing, topics }))
      await endTransaction(outcome === 'commit')
    },
  }
}
