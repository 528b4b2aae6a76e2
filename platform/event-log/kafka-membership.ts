// Membership in a consumer group, and nothing else: kafkajs' consumer joins, keeps the membership
// alive and says which partitions are ours; it is paused and never reads. A consumer of kafkajs can
// crash and stay a silent object; here it is replaced, or the membership fails.
import type { Consumer, Kafka } from 'kafkajs'
import { backoffMs, pause } from '../wait.ts'
import { isAway, type KafkaConnect, within } from './kafka-client.ts'

const sessionTimeoutMs = 6_000
const rebalanceTimeoutMs = 15_000
const heartbeatIntervalMs = 1_000
const loopMs = 200
/** No sign of the group for so long: the consumer is replaced. */
const silenceMs = 30_000
const joinMs = 60_000
/** Crashes in a row for another reason than a broker that is away. */
const attemptsMax = 8
const retry = { initialRetryTime: 50, maxRetryTime: 500, retries: 5 }

export interface MembershipOptions {
  readonly connect: KafkaConnect
  readonly group: string
  readonly topic: string
  /** Called after every join with what is ours now. */
  assigned(partitions: ReadonlySet<number>): void
}

export interface Membership {
  /** When the coordinator last confirmed this member (Date.now). */
  readonly confirmedAt: number
  /** Settles after close; rejected when the group cannot be joined for good. */
  readonly done: Promise<void>
  close(): Promise<void>
}

export function joinGroup({ connect, group, topic, assigned }: MembershipOptions): Membership {
  const stopping = new AbortController()
  let confirmedAt = Number.NEGATIVE_INFINITY
  let failures = 0

  const createConsumer = (client: Kafka, crashed: (error: Error) => void): Consumer => {
    const consumer = client.consumer({
      groupId: group,
      sessionTimeout: sessionTimeoutMs,
      rebalanceTimeout: rebalanceTimeoutMs,
      heartbeatInterval: heartbeatIntervalMs,
      maxWaitTimeInMs: loopMs,
      allowAutoTopicCreation: false,
      // Restarting itself, it would go on after it was disconnected.
      retry: { ...retry, restartOnFailure: async () => false },
    })
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      consumer.pause([{ topic }])
      confirmedAt = Date.now()
      failures = 0
      assigned(new Set(payload.memberAssignment[topic] ?? []))
    })
    consumer.on(consumer.events.HEARTBEAT, () => {
      confirmedAt = Date.now()
    })
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed(payload.error))
    return consumer
  }

  /** One consumer's life. @throws what ended it */
  const member = async (): Promise<void> => {
    const crash = Promise.withResolvers<never>()
    crash.promise.catch(() => {})
    const { client, end } = connect()
    const consumer = createConsumer(client, crash.reject)
    const startedAt = Date.now()
    try {
      const join = async () => {
        await consumer.connect()
        await consumer.subscribe({ topics: [topic], fromBeginning: true })
        await consumer.run({ autoCommit: false, eachBatch: async () => {} })
      }
      await Promise.race([within(joinMs, `joining ${group}`, join()), crash.promise])
      while (!stopping.signal.aborted) {
        await Promise.race([pause(loopMs, stopping.signal), crash.promise])
        if (Date.now() - Math.max(confirmedAt, startedAt) > silenceMs) return // a new one is made
      }
    } finally {
      await end(() => consumer.disconnect())
    }
  }

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await member()
      } catch (error) {
        if (stopping.signal.aborted) return
        if (++failures >= attemptsMax && !isAway(error)) throw error
        await pause(backoffMs(failures), stopping.signal)
      }
    }
  }

  const done = run()
  done.catch(() => {}) // the owner sees it
  return {
    get confirmedAt() {
      return confirmedAt
    },
    done,
    async close() {
      stopping.abort()
      await done.catch(() => {})
    },
  }
}
