// A LogReader over the shared fetcher. Nothing is committed anywhere: whoever reads keeps its own
// position.
import type { KafkaFetcher, Lane } from './kafka-fetcher.ts'
import type { LogReader, LogRecord } from './port.ts'

/** Connecting takes longer than a poll; a reader is opened all the same when brokers are away. */
const firstAnswerMs = 10_000

export interface KafkaReader extends LogReader {
  /** The partition's end, and when (Date.now) it was asked for. */
  readonly end: { readonly offset: number; readonly knownAt: number }
}

/** Opens a reader; what the broker has is there for the first read, if a broker answers at all. */
export async function openReader(
  fetcher: KafkaFetcher,
  topic: string,
  partition: number,
  from: number,
): Promise<KafkaReader> {
  const lane = fetcher.open(topic, partition, from)
  let closed = false

  /** Waits for the next poll's answer. */
  const arrival = (waitMs: number): Promise<void> =>
    new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer)
        lane.arrived = () => {}
        resolve()
      }
      const timer = setTimeout(settle, waitMs)
      lane.arrived = settle
    })

  await arrival(firstAnswerMs)
  return {
    async read(maxRecords: number, waitMs: number): Promise<LogRecord[]> {
      const deadline = Date.now() + waitMs
      for (;;) {
        const records = closed ? [] : fetcher.take(lane, maxRecords)
        if (records.length > 0 || closed) return records
        throwFailure(lane)
        const leftMs = deadline - Date.now()
        if (leftMs <= 0) return []
        await arrival(leftMs)
      }
    },
    get position() {
      return lane.records[lane.taken]?.offset ?? lane.next
    },
    get end() {
      return { offset: lane.end, knownAt: lane.endKnownAt }
    },
    async close() {
      closed = true
      fetcher.close(lane)
      lane.arrived()
    },
  }
}

/** A failure is told once; then reading goes on where it stood. */
function throwFailure(lane: Lane): void {
  const { failure } = lane
  if (failure === undefined) return
  lane.failure = undefined
  throw failure
}
