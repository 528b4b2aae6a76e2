// Appends with an idempotent producer. kafkajs gives a sequence number back when a send fails, also
// when the broker has the records: another batch under that number is answered "duplicate" and lost
// without an error. So after a failure there are two ways only: the very same sends again on the
// same producer, or a new producer with a new id.
import kafkajs, { type Kafka, type Producer } from 'kafkajs'
import { isAway, requestTimeoutMs, sendOptions, within } from './kafka-client.ts'
import { type Send, sendsOf } from './kafka-messages.ts'
import type { NewRecord } from './port.ts'

/** Of one send inside kafkajs: the same batch under the same number. */
const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 1 }
/** After that a send is given up as failed, whatever kafkajs is doing. */
const sendMs = 3 * requestTimeoutMs
const connectMs = 10_000
const disconnectMs = 5_000

export interface Appender {
  /**
   * Durable when it resolves. When it rejects, the records may be in the log or not: append the same
   * array again, and what arrived is not written twice; another array goes to a new producer.
   */
  append(topic: string, partitions: number, records: readonly NewRecord[]): Promise<void>
  close(): Promise<void>
}

interface Unsettled {
  readonly records: readonly NewRecord[]
  /** Sends without an acknowledgement, for each partition in order. */
  readonly lanes: readonly Send[][]
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

  const sendLane = async (by: Producer, lane: Send[]): Promise<void> => {
    for (let head = lane[0]; head; head = lane[0]) {
      await within(sendMs, `appending to ${head.topic}`, by.send({ ...head, ...sendOptions }))
      lane.shift()
    }
  }

  const settle = async (work: Unsettled): Promise<void> => {
    unsettled = work
    const by = await connected()
    const results = await Promise.allSettled(work.lanes.map((lane) => sendLane(by, lane)))
    const failures = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as unknown] : []))
    if (failures.length === 0) {
      unsettled = undefined
      return
    }
    // Not a broker that is away: the producer's own state is in doubt (its id ran out, its
    // sequence is unknown to the broker). What follows begins anew.
    if (!failures.every((error) => isAway(error))) retire()
    throw failures[0]
  }

  return {
    append(topic, partitions, records) {
      const mine = turn.then(async () => {
        if (closed) throw new Error('this event log is closed')
        const before = unsettled
        if (before && before.records !== records) retire()
        const lanes = before?.records === records ? before.lanes : undefined
        await settle({ records, lanes: lanes ?? sendsOf(topic, partitions, records) })
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
