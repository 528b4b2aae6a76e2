// The transactional producer of one input partition. Its transactional id belongs to the partition,
// so opening it fences whoever had it; only then may the committed offset be read. After any failure
// it is thrown away: its state in kafkajs is not to be trusted, and a new one settles what was open.
import kafkajs from 'kafkajs'
import { type KafkaConnect, sendOptions, within } from './kafka-client.ts'
import { checkAcknowledged, type Send } from './kafka-messages.ts'
import { transactionHeader, transactionText } from './kafka-settlement.ts'
import { agreedOffset, settleOutputs, type Taken } from './kafka-takeover.ts'

/**
 * The broker aborts what is open for longer. What a dead process left open is aborted by whoever takes
 * the partition over, and until then nobody else writes there: so this can be long. It should be:
 * a broker that was away for longer aborts while it starts, and may forget the markers (decision
 * 0016).
 */
const transactionTimeoutMs = 600_000
const retry = { initialRetryTime: 20, maxRetryTime: 500, retries: 12 }
const openMs = 30_000
const commitMs = 30_000
/** Between settling and opening, somebody else may have had the partition. */
const openingsMax = 3

export interface Transactions {
  /** Records and the input's next offset, together or not at all. A rejection leaves it unknown. */
  commit(sends: readonly Send[], nextOffset: number): Promise<void>
  close(): void
}

export interface TransactionsOf extends Taken {
  readonly connect: KafkaConnect
}

/** Fences older producers of the partition, then says where to go on. */
export async function openTransactions(
  parts: TransactionsOf,
): Promise<{ transactions: Transactions; committed: number }> {
  const { transactionalId } = parts
  for (let n = 1; n <= openingsMax; n++) {
    const opened = await open(parts)
    if (opened) return opened
    const settled = settleOutputs(parts, transactionTimeoutMs)
    await within(openMs, `settling ${transactionalId}`, settled)
  }
  throw new Error(`offsets and outputs of ${transactionalId} do not agree`)
}

/** @returns undefined where offsets and outputs have to be made to agree first */
async function open(
  parts: TransactionsOf,
): Promise<{ transactions: Transactions; committed: number } | undefined> {
  const { transactionalId, group, topic, partition } = parts
  const connection = parts.connect()
  const producer = connection.client.producer({
    ...{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry },
    ...{ transactionalId, transactionTimeout: transactionTimeoutMs },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  const close = () => void connection.end(() => producer.disconnect())
  const offsets = (offset: number) => ({
    consumerGroupId: group,
    topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }],
  })
  const fence = async (): Promise<void> => {
    await producer.connect()
    await (await producer.transaction()).abort() // nothing was sent: it only took the id
  }
  let from: number | undefined
  try {
    await within(openMs, `opening ${transactionalId}`, fence())
    from = await agreedOffset(parts)
  } finally {
    if (from === undefined) close()
  }
  if (from === undefined) return undefined
  let next = from
  let { losses } = connection
  /** A broker that died after it took the last commit may not have finished it. */
  const checkLast = async (): Promise<void> => {
    if (connection.losses === losses) return
    losses = connection.losses
    if ((await agreedOffset(parts)) !== next) {
      throw new Error(`the last transaction of ${transactionalId} was not finished`)
    }
  }
  const commit = async (sends: readonly Send[], nextOffset: number): Promise<void> => {
    await checkLast()
    const transaction = await producer.transaction()
    const text = transactionText(transactionalId, { from: next, next: nextOffset })
    for (const send of sends) {
      const messages = marked(send.messages, text)
      checkAcknowledged(
        send,
        await transaction.send({ topic: send.topic, messages, ...sendOptions }),
      )
    }
    await transaction.sendOffsets(offsets(nextOffset))
    await transaction.commit()
    next = nextOffset
  }
  return {
    committed: from,
    transactions: {
      commit: (sends, nextOffset) =>
        within(commitMs, `a transaction of ${transactionalId}`, commit(sends, nextOffset)),
      close,
    },
  }
}

/** The first record says what the transaction is about. */
function marked([first, ...others]: readonly kafkajs.Message[], text: string): kafkajs.Message[] {
  if (!first) return []
  return [{ ...first, headers: { ...first.headers, [transactionHeader]: text } }, ...others]
}
