// Consume, transform, produce on Kafka. The group says which partitions are ours; each of them has
// its own loop, reader and transactional producer. What keeps two members from both doing a
// partition's work is not the group, which may be mistaken for a while, but the fence: who opens the
// partition's transactional id last is the only one that can commit.
import { backoffMs, pause } from '../wait.ts'
import { isAway, isFenced, type KafkaConnect, type KafkaNames } from './kafka-client.ts'
import type { KafkaFetcher } from './kafka-fetcher.ts'
import type { KafkaLink } from './kafka-link.ts'
import { joinGroup, type Membership } from './kafka-membership.ts'
import { type Send, sendsOf } from './kafka-messages.ts'
import { type KafkaReader, openReader } from './kafka-reader.ts'
import { openTransactions, type Transactions } from './kafka-transactions.ts'
import {
  checkOutputs,
  type LogRecord,
  type Output,
  type PartitionTask,
  type Processor,
  type ProcessSpec,
} from './port.ts'

const idleWaitMs = 250
/** Failures in a row after which the processor gives up; brokers that are away are waited for. */
const attemptsMax = 8

export interface ProcessorParts {
  readonly spec: ProcessSpec
  readonly connect: KafkaConnect
  readonly link: KafkaLink
  readonly fetcher: KafkaFetcher
  readonly names: KafkaNames
}

export function startKafkaProcessor(parts: ProcessorParts): Processor {
  const { spec, connect, names } = parts
  const stopping = new AbortController()
  const failed = Promise.withResolvers<never>()
  failed.promise.catch(() => {})
  const loops = new Map<number, { stop: AbortController; done: Promise<void> }>()

  const assign = (partitions: ReadonlySet<number>): void => {
    for (const [partition, { stop }] of loops) if (!partitions.has(partition)) stop.abort()
    for (const partition of partitions) {
      const before = loops.get(partition)
      if ((before && !before.stop.signal.aborted) || stopping.signal.aborted) continue
      const stop = new AbortController()
      // A partition that comes back waits for its own last transaction.
      const done = (before?.done ?? Promise.resolve())
        .then(() => runPartition(parts, membership, partition, stop.signal))
        .catch(failed.reject)
      loops.set(partition, { stop, done })
    }
  }

  const membership = joinGroup({
    connect,
    group: names.group(spec.group),
    topic: names.topic(spec.topic),
    assigned: assign,
  })

  const run = async (): Promise<void> => {
    const stopped = new Promise<void>((resolve) => {
      stopping.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    try {
      await Promise.race([stopped, membership.done, failed.promise])
    } finally {
      stopping.abort()
      for (const { stop } of loops.values()) stop.abort()
      await Promise.all([...loops.values()].map(({ done }) => done))
      await membership.close()
    }
  }

  const done = run()
  done.catch(() => {}) // the owner sees it on `done`; nobody else needs to
  return {
    done,
    async close() {
      stopping.abort()
      await done.catch(() => {})
    },
  }
}

/** Works on a partition until the signal. @throws a failure that trying again does not mend */
async function runPartition(
  parts: ProcessorParts,
  membership: Membership,
  partition: number,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  while (!signal.aborted) {
    try {
      await workOn(parts, partition, signal, () => {
        failures = 0
      })
    } catch (error) {
      if (signal.aborted) return
      failures++
      const fenced = isFenced(error)
      if (failures >= attemptsMax && !fenced && !isAway(error)) throw error
      const since = Date.now()
      await pause(backoffMs(failures), signal)
      // Whoever fenced us may be the new owner: go on only if the group still says that it is us.
      while (fenced && !signal.aborted && membership.confirmedAt < since) await pause(50, signal)
    }
  }
}

/** One opening of the task: fence, read the committed offset, work from there until it fails. */
async function workOn(
  { spec, connect, link, fetcher, names }: ProcessorParts,
  partition: number,
  signal: AbortSignal,
  progress: () => void,
): Promise<void> {
  const topic = names.topic(spec.topic)
  const { transactions, committed } = await openTransactions({
    ...{ connect, link, topic, partition, group: names.group(spec.group) },
    outputs: spec.outputs.map(names.topic),
    warn: spec.warn ?? (() => {}),
    transactionalId: names.transactionalId(spec.group, spec.topic, partition),
  })
  let reader: KafkaReader | undefined
  let task: PartitionTask | undefined
  try {
    task = await spec.open(partition, committed)
    reader = await openReader(fetcher, topic, partition, committed)
    const sends = (outputs: readonly Output[]) => {
      checkOutputs(spec, outputs)
      return sendsOfOutputs(link, names, outputs)
    }
    await consume({ spec, task, reader, transactions, sends, progress, signal }, committed)
  } finally {
    task?.closed?.()
    await reader?.close()
    transactions.close()
  }
}

interface Consuming {
  readonly spec: ProcessSpec
  readonly task: PartitionTask
  readonly reader: KafkaReader
  readonly transactions: Transactions
  readonly sends: (outputs: readonly Output[]) => Promise<Send[]>
  readonly progress: () => void
  readonly signal: AbortSignal
}

async function consume(work: Consuming, from: number): Promise<void> {
  const { spec, task, reader, transactions, sends, progress, signal } = work
  let committed = from
  let toldAt = Number.NEGATIVE_INFINITY
  while (!signal.aborted) {
    const records: LogRecord[] = await reader.read(spec.maxRecords, idleWaitMs)
    if (signal.aborted) return
    const next = reader.position
    // Also with nothing to say: behind markers of transactions, lag would never be 0.
    if (records.length > 0 || next > committed) {
      await transactions.commit(await sends(task.handle(records)), next)
      committed = next
      progress()
    }
    const { offset: end, knownAt } = reader.end
    if (records.length === 0 && knownAt <= toldAt) continue // no news from the broker
    toldAt = knownAt
    const readAt = spec.now() - (Date.now() - knownAt)
    task.progressed?.({ committed, end, readAt })
  }
}

/** The sends of a transaction, one after the other; each is for one partition. */
async function sendsOfOutputs(
  link: KafkaLink,
  names: KafkaNames,
  outputs: readonly Output[],
): Promise<Send[]> {
  const byTopic = new Map<string, Output[]>()
  for (const output of outputs) {
    const list = byTopic.get(output.topic)
    if (list) list.push(output)
    else byTopic.set(output.topic, [output])
  }
  const sends: Send[] = []
  for (const [name, list] of byTopic) {
    const topic = names.topic(name)
    sends.push(...sendsOf(topic, (await link.leaders(topic)).length, list))
  }
  return sends
}
