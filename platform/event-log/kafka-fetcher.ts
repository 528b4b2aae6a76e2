// Reads many partitions over one connection to each broker: what all readers want goes into one
// long poll. Each partition is read ahead up to a limit of bytes; what is beyond waits in the broker.
// A position also moves past records that nobody sees (transaction markers, aborted records).
import { ClickledgerError } from '#schemas/errors.ts'
import { traceparentChars, traceparentHeader } from '../tracing.ts'
import { backoffMs, pause } from '../wait.ts'
import { hasType, isAway } from './kafka-client.ts'
import type { KafkaLink } from './kafka-link.ts'
import type { Cluster, FetchedMessage, FetchedPartition } from './kafkajs-insides.ts'
import type { LogRecord } from './port.ts'

/** How long a poll waits for news. A partition that becomes wanted meanwhile waits as long. */
const pollMs = 100
const partitionBytesMax = 1024 * 1024
const pollBytesMax = 16 * 1024 * 1024
/** Read ahead is asked for below this; so a partition holds twice as much at most (compressed). */
const aheadBytes = 1024 * 1024
const recordOverheadBytes = 100

/** One reader's place in a partition. */
export interface Lane {
  readonly topic: string
  readonly partition: number
  /** Records read ahead and not taken yet: those from `taken` on. */
  records: LogRecord[]
  taken: number
  aheadBytes: number
  /** Where the next poll begins. */
  next: number
  /** The partition's end, and when (Date.now) the poll was sent that told it. */
  end: number
  endKnownAt: number
  failure: unknown
  /** Called after every poll of this lane. */
  arrived(): void
}

export interface KafkaFetcher {
  open(topic: string, partition: number, from: number): Lane
  take(lane: Lane, maxRecords: number): LogRecord[]
  close(lane: Lane): void
  closeAll(): void
}

export function createFetcher(link: KafkaLink): KafkaFetcher {
  const lanes = new Set<Lane>()
  const busyNodes = new Set<number>()
  let planning = false
  let planAgain = false
  let failures = 0

  const poll = async (cluster: Cluster, nodeId: number, wanted: readonly Lane[]): Promise<void> => {
    const sentAt = Date.now()
    const broker = await cluster.findBroker({ nodeId })
    const { responses } = await broker.fetch({
      isolationLevel: 1,
      maxWaitTime: pollMs,
      minBytes: 1,
      maxBytes: pollBytesMax,
      topics: wanted.map(({ topic, partition, next }) => ({
        topic,
        partitions: [{ partition, fetchOffset: String(next), maxBytes: partitionBytesMax }],
      })),
    })
    for (const { topicName, partitions } of responses) {
      for (const fetched of partitions) {
        const lane = wanted.find(
          (l) => l.topic === topicName && l.partition === fetched.partition && lanes.has(l),
        )
        if (lane) deliver(lane, fetched, sentAt)
      }
    }
    failures = 0
  }

  const failed = async (error: unknown, wanted: readonly Lane[]): Promise<void> => {
    const out = wanted.filter((lane) => isOutOfRange(error, lane))
    for (const lane of out) await intoRange(link, lane).catch(() => {})
    if (out.length === 0 && !isAway(error)) {
      for (const lane of wanted) {
        lane.failure = error
        lane.arrived()
      }
    }
    await pause(backoffMs(++failures, 2_000))
  }

  /** Sends a poll to each broker that leads something wanted and has none running. */
  const plan = async (): Promise<void> => {
    const wanted = wantedLanes(lanes)
    if (wanted.length === 0) return
    const topics = [...new Set(wanted.map((lane) => lane.topic))]
    try {
      await link.run(topics, async (cluster) => {
        for (const [nodeId, led] of byLeader(cluster, wanted)) {
          if (busyNodes.has(nodeId)) continue
          busyNodes.add(nodeId)
          link
            .run(topics, (same) => poll(same, nodeId, led))
            .catch((error: unknown) => failed(error, led))
            .finally(() => {
              busyNodes.delete(nodeId)
              kick()
            })
        }
      })
    } catch (error) {
      await failed(error, wanted)
      planAgain = true
    }
  }

  const kick = (): void => {
    planAgain = true
    if (planning) return
    planning = true
    void (async () => {
      while (planAgain) {
        planAgain = false
        await plan()
      }
      planning = false
    })()
  }

  return {
    open(topic, partition, from) {
      const lane: Lane = {
        ...{ topic, partition, records: [], taken: 0, aheadBytes: 0, next: from },
        ...{ end: from, endKnownAt: Number.NEGATIVE_INFINITY, failure: undefined },
        arrived: () => {},
      }
      lanes.add(lane)
      kick()
      return lane
    },
    take(lane, maxRecords) {
      const records = lane.records.slice(lane.taken, lane.taken + maxRecords)
      lane.taken += records.length
      for (const record of records) lane.aheadBytes -= sizeOf(record)
      if (lane.taken === lane.records.length) {
        lane.records = []
        lane.taken = 0
      }
      if (lanes.has(lane) && lane.aheadBytes < aheadBytes) kick()
      return records
    },
    close(lane) {
      lanes.delete(lane)
    },
    closeAll() {
      lanes.clear()
    },
  }
}

const sizeOf = ({ key, value }: LogRecord): number =>
  value.length + key.length + recordOverheadBytes

/** Lanes with room, one for each partition: a broker answers for a partition once in a poll. */
function wantedLanes(lanes: ReadonlySet<Lane>): Lane[] {
  const wanted = new Map<string, Lane>()
  for (const lane of lanes) {
    if (lane.aheadBytes >= aheadBytes || lane.failure !== undefined) continue
    const name = `${lane.topic}/${lane.partition}`
    const other = wanted.get(name)
    if (!other || lane.endKnownAt < other.endKnownAt) wanted.set(name, lane)
  }
  return [...wanted.values()]
}

function byLeader(cluster: Cluster, wanted: readonly Lane[]): Map<number, Lane[]> {
  const led = new Map<number, Lane[]>()
  for (const lane of wanted) {
    const leader = cluster
      .findTopicPartitionMetadata(lane.topic)
      .find((p) => p.partitionId === lane.partition)?.leader
    if (leader === undefined) {
      lane.failure = new ClickledgerError(
        'not-found',
        `${lane.topic} has no partition ${lane.partition}`,
      )
      lane.arrived()
      continue
    }
    const list = led.get(leader)
    if (list) list.push(lane)
    else led.set(leader, [lane])
  }
  return led
}

function deliver(lane: Lane, fetched: FetchedPartition, sentAt: number): void {
  for (const record of committedRecords(fetched)) {
    if (record.offset < lane.next) continue
    lane.records.push(record)
    lane.aheadBytes += sizeOf(record)
  }
  const last = fetched.messages[fetched.messages.length - 1]
  if (last) lane.next = Math.max(lane.next, Number(last.offset) + 1)
  lane.end = Number(fetched.highWatermark)
  lane.endKnownAt = sentAt
  lane.arrived()
}

const abortMarkerKey = Buffer.from([0, 0, 0, 0])

/**
 * Records of committed transactions and of none. The broker's list of aborted transactions is in
 * order of their ends, so it is sorted by where they begin.
 */
export function committedRecords(fetched: FetchedPartition): LogRecord[] {
  const begins = [...(fetched.abortedTransactions ?? [])].sort(
    (a, b) => Number(a.firstOffset) - Number(b.firstOffset),
  )
  const aborting = new Set<string>()
  const records: LogRecord[] = []
  let begun = 0
  for (const {
    offset: at,
    timestamp,
    key,
    value,
    headers,
    isControlRecord,
    batchContext,
  } of fetched.messages) {
    const offset = Number(at)
    for (
      let next = begins[begun];
      next && Number(next.firstOffset) <= offset;
      next = begins[begun]
    ) {
      aborting.add(next.producerId)
      begun++
    }
    if (isControlRecord) {
      if (key?.equals(abortMarkerKey)) aborting.delete(batchContext.producerId)
      continue
    }
    if (batchContext.inTransaction && aborting.has(batchContext.producerId)) continue
    records.push({
      partition: fetched.partition,
      offset,
      timestamp: Number(timestamp),
      key: key?.toString('utf8') ?? '',
      value: value ?? new Uint8Array(),
      ...traceOf(headers),
    })
  }
  return records
}

/** The trace context of a record; anybody may write headers, so anything else is none. */
function traceOf(headers: FetchedMessage['headers']): Pick<LogRecord, 'traceparent'> {
  const text = headers?.[traceparentHeader]?.toString()
  return text?.length === traceparentChars ? { traceparent: text } : {}
}

interface OutOfRange {
  readonly topic?: string
  readonly partition?: number
}

function isOutOfRange(error: unknown, lane: Lane): boolean {
  if (!hasType(error, 'KafkaJSOffsetOutOfRange')) return false
  const { topic, partition } = error as OutOfRange
  return topic === lane.topic && partition === lane.partition
}

/** What is past retention is gone: the reader goes to the earliest record, and its position says so. */
async function intoRange(link: KafkaLink, lane: Lane): Promise<void> {
  const earliest = await link.earliestOffset(lane.topic, lane.partition)
  if (lane.next < earliest) {
    lane.next = earliest
    return
  }
  const end = (await link.endOffsets(lane.topic))[lane.partition] ?? 0
  if (lane.next <= end) return // a new leader that had not caught up
  lane.failure = new ClickledgerError(
    'archive-gap',
    `${lane.topic} partition ${lane.partition} ends at offset ${end}, but reading should go on at ${lane.next}: the topic was made anew, or its end was lost`,
  )
  lane.arrived()
}
