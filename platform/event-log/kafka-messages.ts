// Records on their way to the brokers: by partition, in sends that every broker takes.
import type { Message } from 'kafkajs'
import { partitionOf } from '#core/identity.ts'
import type { NewRecord } from './port.ts'

/** Before compression, so well below what brokers take by default (1 MiB). */
const sendBytesMax = 768 * 1024
const recordOverheadBytes = 32

/**
 * What one request carries: records of one partition. With more, kafkajs takes an answer of a broker
 * for the answer to everything, also to what moved there while it tried again: that is never sent.
 */
export interface Send {
  readonly topic: string
  readonly messages: Message[]
}

/**
 * Splits records into sends; those of one partition keep their order.
 * @returns for each partition its sends, one to be acknowledged before the next
 */
export function sendsOf(
  topic: string,
  partitions: number,
  records: readonly NewRecord[],
): Send[][] {
  const byPartition = new Map<number, { sends: Send[]; bytes: number }>()
  for (const { key, value, timestamp } of records) {
    const partition = partitionOf(key, partitions)
    let into = byPartition.get(partition)
    if (!into) {
      into = { sends: [{ topic, messages: [] }], bytes: 0 }
      byPartition.set(partition, into)
    }
    const bytes = value.length + key.length + recordOverheadBytes
    const open = into.sends[into.sends.length - 1]
    const message: Message = {
      ...{ key, partition, timestamp: String(Math.trunc(timestamp)) },
      value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
    }
    if (open && (open.messages.length === 0 || into.bytes + bytes <= sendBytesMax)) {
      open.messages.push(message)
      into.bytes += bytes
    } else {
      into.sends.push({ topic, messages: [message] })
      into.bytes = bytes
    }
  }
  return [...byPartition.values()].map(({ sends }) => sends)
}
