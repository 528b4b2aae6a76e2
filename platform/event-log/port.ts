// The event log: topics, partitions, offsets, groups, atomic (produce + commit offsets). Shaped
// after Kafka's guarantees and nothing else, so that SQLite and Kafka mean the same.
import type { Topic } from '#schemas/topics.ts'

export interface NewRecord {
  /** Decides the partition (core/identity.ts, partitionOf). */
  readonly key: string
  readonly value: Uint8Array
  /** Milliseconds; `offsetAt` searches by it. */
  readonly timestamp: number
  /** W3C trace context of the record (platform/tracing.ts), in a header; absent: not traced. */
  readonly traceparent?: string
}

export interface LogRecord {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: string
  readonly value: Uint8Array
  readonly traceparent?: string
}

/** Reads one partition in order; only committed records. */
export interface LogReader {
  /**
   * The next records, at most `maxRecords`; waits up to `waitMs` for the first.
   * Empty when nothing came. One call at a time.
   */
  read(maxRecords: number, waitMs: number): Promise<LogRecord[]>
  /** Offset of the next record to read. */
  readonly position: number
  close(): Promise<void>
}

export interface Output extends NewRecord {
  readonly topic: string
}

/** The work on one assigned partition: consume, transform, produce. Dropped and opened anew after any failure. */
export interface PartitionTask {
  /** Maps records to outputs. Outputs and the new offset are committed together, or not at all. */
  handle(records: readonly LogRecord[]): readonly Output[]
  /**
   * Called after the commit, and when the partition has nothing new.
   * `end` was its end offset at the time `readAt`.
   */
  progressed?(state: { committed: number; end: number; readAt: number }): void
  /** Called when the partition is no longer this member's, or the task is dropped after a failure. */
  closed?(): void
}

export interface ProcessSpec {
  readonly group: string
  readonly topic: string
  /** Topics that the outputs go to, and no other. An output should keep the key of its record. */
  readonly outputs: readonly string[]
  readonly maxRecords: number
  /** Clock of `readAt`. */
  readonly now: () => number
  /** Told what an operator should know though it was put right. */
  readonly warn?: (message: string) => void
  /** Opens the work on a partition whose next record is at `committed`. */
  open(partition: number, committed: number): Promise<PartitionTask>
}

/** @throws Error where an output goes to a topic that the spec does not name: a fault of the task */
export function checkOutputs(spec: ProcessSpec, outputs: readonly Output[]): void {
  for (const { topic } of outputs) {
    if (!spec.outputs.includes(topic)) throw new Error(`${topic} is not an output of ${spec.group}`)
  }
}

export interface Processor {
  /** Settles when the processor ends: fulfilled after close, rejected by a failure it cannot mend. */
  readonly done: Promise<void>
  /** Takes no new records, finishes the running transaction. */
  close(): Promise<void>
}

export interface EventLog {
  /**
   * Makes missing topics. Idempotent. A topic with another number of partitions is refused, or gets
   * the missing ones.
   */
  ensureTopics(topics: readonly Topic[], partitions: number): Promise<void>
  /** Durable when it resolves. Records of one partition keep their order. */
  append(topic: string, records: readonly NewRecord[]): Promise<void>
  reader(topic: string, partition: number, fromOffset: number): Promise<LogReader>
  /** Joins a group; a newer member takes over, an older one ends with `fenced`. */
  process(spec: ProcessSpec): Promise<Processor>
  /** End offset (one past the last record) of each partition that there is now: some may be added. */
  endOffsets(topic: string): Promise<number[]>
  /** Committed offset of each partition; 0 where none is. */
  committedOffsets(group: string, topic: string): Promise<number[]>
  /** First offset whose record has a timestamp at or after `time`; the end offset if none has. */
  offsetAt(topic: string, partition: number, time: number): Promise<number>
  close(): Promise<void>
}
