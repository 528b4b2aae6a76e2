// Ships the write-ahead log to the event log, in order. One path in good times and bad: the head
// batch is sent, and sent again on the same client until it is acknowledged (another batch after an
// ambiguous failure could be swallowed by the broker as a duplicate). Only then does the position
// move; a crash before it is saved makes copies, which collapse by identity.
import { unlink } from 'node:fs/promises'
import type { EventLog, NewRecord } from '#platform/event-log/port.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { type Position, samePosition, type WalControl } from './control.ts'
import { openCursor } from './cursor.ts'
import { listSegments, segmentPath } from './files.ts'
import { createSegmentReader, type SegmentReader } from './reader.ts'

const idleMs = 200

export interface SenderOptions {
  readonly dir: string
  readonly log: Pick<EventLog, 'append'>
  readonly control: WalControl
  /** First segment of this process: what lies before it was left by an earlier one. */
  readonly firstSegment: number
  /** Aborted: stop after the running attempt. */
  readonly signal: AbortSignal
  /** Least time between two batches, so that a batch is worth its commit. */
  readonly lingerMs: number
  onShipped?(): void
  onFailure?(error: unknown, attempt: number): void
  /** Bytes of a segment that could not be read: a torn tail that was never acknowledged, or damage. */
  onLost?(segment: number, bytes: number): void
}

/** Runs until the signal. @throws what the disk throws when the log cannot be read at all */
export async function runSender(options: SenderOptions): Promise<void> {
  const { dir, control, signal, lingerMs } = options
  const reader = createSegmentReader(dir)
  const cursor = await openCursor(dir)
  try {
    let position = control.shipped
    await countBacklog(reader, control, position, options.firstSegment)
    let lastShipped = 0
    while (!signal.aborted) {
      const durable = control.durable
      if (samePosition(position, durable)) {
        await control.durableMoved(durable, idleMs)
        continue
      }
      const earlyMs = lastShipped + lingerMs - performance.now()
      if (earlyMs > 0) await pause(earlyMs, signal)
      lastShipped = performance.now()
      const batch = await reader.read(position, control.durable)
      if (batch.kind === 'records') {
        if (!(await ship(options, batch.records))) return
        control.shippedRecords += batch.records.length
        control.shippedThrough = batch.records[batch.records.length - 1]?.timestamp ?? 0
      } else if (batch.lostBytes > 0) {
        control.lostBytes += batch.lostBytes
        options.onLost?.(position.segment, batch.lostBytes)
      }
      await cursor.save(batch.end).catch((error) => options.onFailure?.(error, 0))
      if (batch.end.segment > position.segment) await removeSegment(reader, dir, position.segment)
      position = batch.end
      control.shipped = position
      options.onShipped?.()
    }
  } finally {
    await reader.close()
    await cursor.close()
  }
}

/** Sends one batch until it is acknowledged. @returns false when told to stop before */
async function ship(options: SenderOptions, records: readonly NewRecord[]): Promise<boolean> {
  const { log, control, signal, onFailure } = options
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      await log.append(topics.raw.name, records)
      control.failures = 0
      return true
    } catch (error) {
      control.failures = attempt
      control.failuresTotal++
      onFailure?.(error, attempt)
      await pause(backoffMs(attempt), signal)
    }
  }
  return false
}

/** Finds out what an earlier process left, before the first report of this one. */
async function countBacklog(
  reader: SegmentReader,
  control: WalControl,
  from: Position,
  firstSegment: number,
): Promise<void> {
  let oldest: number | undefined
  let records = 0
  for (let position = from; position.segment < firstSegment; ) {
    const batch = await reader.read(position, { segment: firstSegment, offset: 0 })
    if (batch.kind === 'records') {
      records += batch.records.length
      oldest ??= batch.records[0]?.timestamp
    }
    position = batch.end
  }
  control.backlogRecords = records
  control.shippedThrough = oldest ?? 0
  control.scanned = true
}

async function removeSegment(reader: SegmentReader, dir: string, segment: number): Promise<void> {
  await reader.close()
  await unlink(segmentPath(dir, segment)).catch(() => {}) // or at the next start
}

export interface WalStart {
  /** Where shipping goes on. */
  readonly position: Position
  readonly segments: readonly number[]
  /** Number for the first segment of this process. */
  readonly firstSegment: number
}

/** Where to go on, from what lies in the directory. @param saved - the cursor, if there is one */
export function planStart(segments: readonly number[], saved: Position | undefined): WalStart {
  const unshipped = segments.filter((n) => n >= (saved?.segment ?? 0))
  const [oldest] = unshipped
  const firstSegment = Math.max(saved?.segment ?? 0, segments[segments.length - 1] ?? 0) + 1
  if (saved && oldest === saved.segment)
    return { position: saved, segments: unshipped, firstSegment }
  return {
    position: { segment: oldest ?? firstSegment, offset: 0 },
    segments: unshipped,
    firstSegment,
  }
}

/** Removes segments before the position: shipped, but not removed by a process that died. */
export async function removeShipped(dir: string, position: Position): Promise<void> {
  for (const segment of await listSegments(dir)) {
    if (segment < position.segment) await unlink(segmentPath(dir, segment)).catch(() => {})
  }
}
