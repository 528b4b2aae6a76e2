// Records on their way to the brokers: by partition, in sends that every broker takes.
import type { Message, RecordMetadata } from 'kafkajs'
import { partitionOf } from '#core/identity.ts'
import { traceparentHeader } from '../tracing.ts'
import { notSent } from './kafka-client.ts'
import type { NewRecord } from './port.ts'

/** Before compression, so well below what brokers take by default (1 MiB). */
const sendBytesMax = 768 * 1024
/** kafkajs' work on a send grows with the square of its records. */
const sendRecordsMax = 1_000
const recordOverheadBytes = 32

/**
 * What one request carries: records of one partition. With more, kafkajs takes an answer of a broker
 * for the answer to everything, also to what moved there while it tried again: that is never sent.
 */
export interface Send {
  readonly topic: string
  readonly partition: number
  readonly messages: Message[]
}

/** Splits records into sends; those of one partition keep their order. */
export function sendsOf(topic: string, partitions: number, records: readonly NewRecord[]): Send[] {
  const sends: Send[] = []
  const open = new Map<number, { send: Send; bytes: number }>()
  for (const { key, value, timestamp, traceparent } of records) {
    const partition = partitionOf(key, partitions)
    const bytes = value.length + key.length + recordOverheadBytes
    let into = open.get(partition)
    const isFull =
      into && (into.bytes + bytes > sendBytesMax || into.send.messages.length >= sendRecordsMax)
    if (!into || isFull) {
      into = { send: { topic, partition, messages: [] }, bytes: 0 }
      open.set(partition, into)
      sends.push(into.send)
    }
    into.bytes += bytes
    into.send.messages.push({
      ...{ key, partition, timestamp: String(Math.trunc(timestamp)) },
      value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      ...(traceparent !== undefined && { headers: { [traceparentHeader]: traceparent } }),
    })
  }
  return sends
}

/**
 * What kafkajs answers to a send, held against what was sent: records of a partition that its
 * producer has not heard of (it was added a moment ago) are dropped without an error. A new producer
 * asks anew what there is.
 * @throws Error `NotSent`
 */
export function checkAcknowledged(
  { topic, partition }: Send,
  answer: readonly RecordMetadata[],
): void {
  if (answer.some((part) => part.partition === partition)) return
  const error = new Error(`the producer has sent nothing to partition ${partition} of ${topic}`)
  error.name = notSent
  throw error
}
