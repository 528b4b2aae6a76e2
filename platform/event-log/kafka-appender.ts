// Appends with an idempotent producer. kafkajs gives a sequence number back when a send fails, also
// when the broker has the records: another batch under that number is answered "duplicate" and lost
// without an error. So after a failure there are two ways only: the very same sends again on the
// same producer, or a new producer with a new id.
import kafkajs, { type Kafka, type Producer } from 'kafkajs'
import { hasType, isAway, requestTimeoutMs, sendOptions, within } from './kafka-client.ts'
import { type Send, sendsOf } from './kafka-messages.ts'
import type { NewRecord } from './port.ts'

/** Of one send inside kafkajs: the same batch under the same number. */
const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 1 }
/** After that a send is given up as failed, whatever kafkajs is doing, and the producer with it. */
const sendMs = 3 * requestTimeoutMs
const connectMs = 10_000
const disconnectMs = 5_000

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

export function createAppender(client: Kafka): Appender {
  let producer: Producer | undefined
  let unsettled: Unsettled | undefined
  let turn: Promise<unknown> = Promise.resolve()
  let closed = false

  const retire = (): void => {
    const old = producer
    producer = undefined
    if (old) void within(disconnectMs, 'disconnecting', old.disconnect()).catch(() => {})
  }

  const connected = async (): Promise<Producer> => {
    if (producer) return producer
    const fresh = client.producer({
      ...{ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false, retry },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    try {
      await within(connectMs, 'connecting a producer', fresh.connect())
    } catch (error) {
      void fresh.disconnect().catch(() => {})
      throw error
    }
    producer = fresh
    return fresh
  }

  /** One send after the other: kafkajs lets a broker have one at a time, and a queue of them would
   *  wait for each other's time-outs. */
  const sendAll = async (by: Producer, sends: readonly Send[], pending: Set<Send>) => {
    for (const send of sends) {
      const { topic, messages } = send
      await within(sendMs, `appending to ${topic}`, by.send({ topic, messages, ...sendOptions }))
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
    // was away: not if the producer's id or sequence is in doubt.
    const isSafe = failures.every((error) => isAway(error) && !hasType(error, 'DeadlinePassed'))
    if (!isSafe) retire()
    throw failures[0]
  }

  return {
    append(topic, leaders, records) {
      const mine = turn.then(async () => {
        if (closed) throw new Error('this event log is closed')
        const before = unsettled
        if (before?.records === records) return settle(before, leaders)
        if (before) retire()
        return settle(
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
      retire()
    },
  }
}
