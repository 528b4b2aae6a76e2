// The transactional producer of one input partition. Its transactional id belongs to the partition,
// so opening it fences whoever had it; only then may the committed offset be read. After any failure
// it is thrown away: its state in kafkajs is not to be trusted, and a new one settles what was open.
import kafkajs from 'kafkajs'
import { pause } from '../wait.ts'
import { type KafkaConnect, sendOptions, within } from './kafka-client.ts'
import type { KafkaLink } from './kafka-link.ts'
import { checkAcknowledged, type Send } from './kafka-messages.ts'

/**
 * The broker aborts what is open for longer. What a dead process left open is aborted by whoever takes
 * the partition over, and until then nobody else writes there: so this can be long. It must be:
 * a broker that was down for longer aborts it while it starts, when it may not know yet who leads what
 * (seen on 4.4.0, "likely deleted already and hence can be skipped"), and then without a marker: the
 * records would be committed with the next transaction.
 */
const transactionTimeoutMs = 600_000
const retry = { initialRetryTime: 20, maxRetryTime: 500, retries: 12 }
const openMs = 30_000
const commitMs = 30_000
const stableMs = 25

export interface Transactions {
  /** Records and the input's next offset, together or not at all. A rejection leaves it unknown. */
  commit(sends: readonly Send[], nextOffset: number): Promise<void>
  close(): void
}

export interface TransactionsOf {
  readonly connect: KafkaConnect
  readonly link: KafkaLink
  readonly transactionalId: string
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** Fences older producers of the partition, then reads what is committed (0 where nothing is). */
export async function openTransactions(
  parts: TransactionsOf,
): Promise<{ transactions: Transactions; committed: number }> {
  const { transactionalId, group, topic, partition } = parts
  const { client, end } = parts.connect()
  const producer = client.producer({
    ...{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry },
    ...{ transactionalId, transactionTimeout: transactionTimeoutMs },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  const close = () => void end(() => producer.disconnect())
  const offsets = (offset: number) => ({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  })
  const commit = async (sends: readonly Send[], nextOffset: number): Promise<void> => {
    const transaction = await producer.transaction()
    for (const send of sends) {
      const { topic: to, messages } = send
      checkAcknowledged(send, await transaction.send({ topic: to, messages, ...sendOptions }))
    }
    await transaction.sendOffsets(offsets(nextOffset))
    await transaction.commit()
  }
  const fence = async (): Promise<void> => {
    await producer.connect()
    await (await producer.transaction()).abort() // nothing was sent: it only took the id
  }
  try {
    await within(openMs, `opening ${transactionalId}`, fence())
    const committed = await settledOffset(parts)
    return {
      committed,
      transactions: {
        commit: (sends, next) =>
          within(commitMs, `a transaction of ${transactionalId}`, commit(sends, next)),
        close,
      },
    }
  } catch (error) {
    close()
    throw error
  }
}

/**
 * The committed offset. Older brokers apply the offsets of a finished transaction a moment after
 * they say that it is finished, and kafkajs cannot ask for stable offsets only: so it has to be seen
 * twice.
 */
async function settledOffset({ link, group, topic, partition }: TransactionsOf): Promise<number> {
  for (let before = Number.NaN; ; ) {
    const [offset = -1] = await link.committedOffsets(group, topic, [partition])
    if (offset === before) return Math.max(0, offset)
    before = offset
    await pause(stableMs)
  }
}
