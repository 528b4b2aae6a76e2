// Appends with an idempotent producer. kafkajs gives a sequence number back when a send fails, also
// when the broker has the records: another batch under that number is answered "duplicate" and lost
// without an error. So after a failure there are two ways only: the very same sends again on the
// same producer, or a new producer with a new id.
import kafkajs, { type Producer } from 'kafkajs'
import {
  hasType,
  isAway,
  type KafkaConnect,
  notSent,
  requestTimeoutMs,
  sendOptions,
  within,
} from './kafka-client.ts'
import { checkAcknowledged, type Send, sendsOf } from './kafka-messages.ts'
import type { NewRecord } from './port.ts'

/** Of one send inside kafkajs: the same batch under the same number. */
const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 1 }
/** After that a send is given up as failed, whatever kafkajs is doing, and the producer with it. */
const sendMs = 3 * requestTimeoutMs
const connectMs = 10_000

export interface Appender {
  /**
   * Durable when it resolves. When it rejects, the records may be in the log or not: append the same
   * array again, and what arrived is not written twice; another array goes to a new producer.
   * @param leaders - node of each partition's leader
   */
  append(topic: string, leaders: readonly number[], records: readonly NewRecord[]): Promise<void>
  close(): Promise<void>
}

interface Unsettled {
  readonly records: readonly NewRecord[]
  /** Sends without an acknowledgement, in order. */
  readonly pending: Set<Send>
}

interface Opened {
  readonly producer: Producer
  end(): Promise<void>
}

export function createAppender(connect: KafkaConnect): Appender {
  let current: Opened | undefined
  let unsettled: Unsettled | undefined
  let turn: Promise<unknown> = Promise.resolve()
  let closed = false

  const retire = async (): Promise<void> => {
    const old = current
    current = undefined
    await old?.end()
  }

  const connected = async (): Promise<Producer> => {
    if (current) return current.producer
    const { client, end } = connect()
    const producer = client.producer({
      ...{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    const opened = { producer, end: () => end(() => producer.disconnect()) }
    try {
      await within(connectMs, 'connecting a producer', producer.connect())
    } catch (error) {
      void opened.end()
      throw error
    }
    current = opened
    return producer
  }

  /** One send after the other: kafkajs lets a broker have one at a time, and a queue of them would
   *  wait for each other's time-outs. */
  const sendAll = async (by: Producer, sends: readonly Send[], pending: Set<Send>) => {
    for (const send of sends) {
      const { topic, messages } = send
      const sending = by.send({ topic, messages, ...sendOptions })
      checkAcknowledged(send, await within(sendMs, `appending to ${topic}`, sending))
      pending.delete(send)
    }
  }

  const settle = async (work: Unsettled, leaders: readonly number[]): Promise<void> => {
    unsettled = work
    const by = await connected()
    const byLeader = Map.groupBy(work.pending, ({ partition }) => leaders[partition])
    const results = await Promise.allSettled(
      [...byLeader.values()].map((sends) => sendAll(by, sends, work.pending)),
    )
    const failures = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []))
    if (failures.length === 0) {
      unsettled = undefined
      return
    }
    // The same again is safe only if kafkajs has ended its own tries, and if it was the broker that
    // was away: not if the producer's id or sequence is in doubt, or what it knows of the topic.
    const isSafe = failures.every(
      (error) => isAway(error) && !hasType(error, 'DeadlinePassed', notSent),
    )
    if (!isSafe) void retire()
    throw failures[0]
  }

  /** What an old producer does not know how to send, the next one does. */
  const settleAll = (work: Unsettled, leaders: readonly number[]): Promise<void> =>
    settle(work, leaders).catch((error) => {
      if (!hasType(error, notSent)) throw error
      return settle(work, leaders)
    })

  return {
    append(topic, leaders, records) {
      const mine = turn.then(async () => {
        if (closed) throw new Error('this event log is closed')
        const before = unsettled
        if (before?.records === records) return settleAll(before, leaders)
        if (before) void retire()
        return settleAll(
          { records, pending: new Set(sendsOf(topic, leaders.length, records)) },
          leaders,
        )
      })
      turn = mine.catch(() => {})
      return mine
    },
    async close() {
      closed = true
      await turn
      await retire()
    },
  }
}
