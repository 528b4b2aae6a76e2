// The writing half of the write-ahead log. Group commit: all clicks that came in while the last
// group was on its way to disk are the next group, written and synced at once. A click is
// acknowledged when that is done, never before. After any failure the segment is sealed at its
// durable end and the next group begins a new one: what a failed sync left in the page cache is
// unknown, so nothing is ever appended behind it.
import type { ErrorCode } from '#schemas/errors.ts'
import type { RawClick } from '#schemas/fields.ts'
import { isAtLeast, type Position, samePosition, type WalControl } from './control.ts'
import { segmentPath, type WalFile, type WalFiles, walFiles } from './files.ts'
import { createPace } from './pace.ts'
import { segmentMagic, writeRecord } from './segment.ts'

/** Called once per click: undefined when it is durable, else why it is not. */
export type Acknowledge = (failure: ErrorCode | undefined) => void

const groupBytesStart = 256 * 1024
/** Clicks waiting for the disk, at most: beyond it they are not accepted. */
const groupBytesMax = 16 * 1024 * 1024
const segmentBytesMax = 1024 * 1024 * 1024
/**
 * Zeros written ahead of the records. A sync of bytes that the file has already need not wait for
 * the file system's journal: a third of the time, and no waiting for what others sync.
 */
const reserveBytes = 1024 * 1024
const zeros = Buffer.alloc(reserveBytes)
/** After a failure the disk is left alone for this long; clicks are refused at once meanwhile. */
const retryAfterMs = 100
/** While failing, the disk is tried without a click too: a node that is not ready gets none. */
const probeEveryMs = 1_000

interface Group {
  buffer: Buffer
  bytes: number
  acks: Acknowledge[]
}

interface OpenSegment {
  readonly file: WalFile
  readonly segment: number
  /** End of the durable records. */
  offset: number
  /** End of the zeros written ahead; behind the records. */
  reserved: number
}

export interface CommitReport {
  readonly records: number
  readonly bytes: number
  readonly seconds: number
  readonly failure?: unknown
}

export interface WalWriterOptions {
  readonly dir: string
  readonly control: WalControl
  readonly segmentBytes: number
  readonly bytesMax: number
  /** Segments that earlier processes left, with their sizes; `control.shipped` is set before. */
  readonly backlog: readonly { readonly segment: number; readonly bytes: number }[]
  /** Number of the first segment to make. */
  readonly firstSegment: number
  readonly files?: WalFiles
  /** Releases acknowledgements of a durable group; by default at once. */
  release?(acks: readonly Acknowledge[], end: Position): void
  onCommit?(report: CommitReport): void
}

export interface WalWriter {
  /** @param traceparent - trace context of a sampled click */
  append(key: string, click: RawClick, acknowledge: Acknowledge, traceparent?: string): void
  /** Clicks that are on disk since the start. */
  readonly durableRecords: number
  /** Bytes on disk or on the way to it that the event log has not acknowledged. */
  readonly depthBytes: number
  /** No unshipped click was received before this; undefined: there is none. */
  readonly oldestUnshipped: number | undefined
  /** Whether the last group could not be written. */
  readonly failing: boolean
  /** Commits what is pending and closes the segment. Append nothing after. */
  close(): Promise<void>
}

const acknowledgeAll = (acks: readonly Acknowledge[], failure: ErrorCode | undefined): void => {
  for (const acknowledge of acks) acknowledge(failure)
}

export function createWalWriter(options: WalWriterOptions): WalWriter {
  const { dir, control, bytesMax, files = walFiles, onCommit } = options
  const segmentBytes = Math.min(options.segmentBytes, segmentBytesMax)
  const release = options.release ?? ((acks) => acknowledgeAll(acks, undefined))
  const ledger = createDepthLedger(options.backlog)
  let filling = emptyGroup()
  let spare = emptyGroup()
  let writingBytes = 0
  let current: OpenSegment | undefined
  let nextSegment = options.firstSegment
  let durableRecords = 0
  let failing = false
  let retryAt = 0
  let probe: NodeJS.Timeout | undefined
  let isProbeDue = false
  let oldestHint = 0
  let depthSeen = 0

  const isDrained = () =>
    writingBytes === 0 && filling.bytes === 0 && samePosition(control.shipped, control.durable)

  const isFull = (): boolean => {
    const pending = writingBytes + filling.bytes
    if (depthSeen + pending < bytesMax) return false
    depthSeen = ledger.depth(control.shipped)
    return depthSeen + pending >= bytesMax
  }

  const closeSegment = async (): Promise<void> => {
    // What is left of the zeros goes away; nothing else is unsynced.
    await current?.file.truncate(current.offset).catch(() => {})
    await current?.file.close().catch(() => {})
    current = undefined
  }

  const commit = async (group: Group): Promise<unknown> => {
    try {
      current ??= await openSegment(dir, nextSegment, files)
      await writeFully(current.file, group.buffer, group.bytes, current.offset)
      await reserve(current, current.offset + group.bytes, segmentBytes)
      await current.file.datasync()
      current.offset += group.bytes
    } catch (error) {
      if (current) await seal(dir, current, files)
      current = undefined
      // A file that could neither be filled nor removed is in the way: leave it, it has no records.
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') nextSegment++
      return error
    }
    nextSegment = current.segment + 1
    durableRecords += group.acks.length
    control.durable = current
    ledger.grown(current)
    depthSeen = ledger.depth(control.shipped)
    if (current.offset >= segmentBytes) await closeSegment()
    return undefined
  }

  const commitGroup = async (): Promise<void> => {
    const group = filling
    filling = spare
    writingBytes = group.bytes
    const start = performance.now()
    const failure = await commit(group)
    const { acks, bytes } = group
    spare = { buffer: group.buffer, bytes: 0, acks: [] }
    writingBytes = 0
    failing = failure !== undefined
    isProbeDue = false
    clearTimeout(probe)
    if (failing) {
      retryAt = performance.now() + retryAfterMs
      probe = setTimeout(() => {
        isProbeDue = true
        pace.added()
      }, probeEveryMs).unref()
    }
    onCommit?.({
      records: acks.length,
      bytes,
      seconds: (performance.now() - start) / 1000,
      failure,
    })
    if (failing) acknowledgeAll(acks, 'wal-failed')
    else release(acks, control.durable)
  }

  const pace = createPace({
    waiting: () => filling.acks.length + (isProbeDue ? 1 : 0),
    commit: commitGroup,
  })

  return {
    append(key, click, acknowledge, traceparent) {
      if (failing && performance.now() < retryAt) return acknowledge('wal-failed')
      if (isFull()) return acknowledge('wal-full')
      if (isDrained()) oldestHint = click.received_time
      if (!appendTo(filling, key, click, traceparent)) return acknowledge('wal-full')
      filling.acks.push(acknowledge)
      pace.added()
    },
    get durableRecords() {
      return durableRecords
    },
    get depthBytes() {
      return ledger.depth(control.shipped) + writingBytes + filling.bytes
    },
    get oldestUnshipped() {
      return isDrained() ? undefined : Math.max(oldestHint, control.shippedThrough)
    },
    get failing() {
      return failing
    },
    async close() {
      clearTimeout(probe)
      await pace.finish()
      clearTimeout(probe)
      await closeSegment()
    },
  }
}

function emptyGroup(): Group {
  return { buffer: Buffer.allocUnsafe(groupBytesStart), bytes: 0, acks: [] }
}

function appendTo(
  group: Group,
  key: string,
  click: RawClick,
  traceparent: string | undefined,
): boolean {
  for (;;) {
    const end = writeRecord(group.buffer, group.bytes, key, click, traceparent)
    if (end >= 0) {
      group.bytes = end
      return true
    }
    if (group.buffer.length >= groupBytesMax) return false
    const grown = Buffer.allocUnsafe(group.buffer.length * 2)
    group.buffer.copy(grown, 0, 0, group.bytes)
    group.buffer = grown
  }
}

async function openSegment(dir: string, segment: number, files: WalFiles): Promise<OpenSegment> {
  const file = await files.create(segmentPath(dir, segment))
  try {
    await writeFully(file, segmentMagic, segmentMagic.length, 0)
  } catch (error) {
    await seal(dir, { file, segment, offset: 0, reserved: 0 }, files)
    throw error
  }
  return { file, segment, offset: segmentMagic.length, reserved: 0 }
}

/** A write may be partial (a disk that fills up): what is left is written, or fails. */
async function writeFully(file: WalFile, buffer: Buffer, length: number, at: number) {
  for (let written = 0; written < length; ) {
    const rest = length - written
    const { bytesWritten } = await file.write(buffer, written, rest, at + written)
    if (bytesWritten === 0) throw new Error('the disk took no bytes')
    written += bytesWritten
  }
}

/** Writes zeros ahead when the last ones are used up. Where that fails, records do without. */
async function reserve(segment: OpenSegment, end: number, segmentBytes: number): Promise<void> {
  if (end <= segment.reserved) return
  const length = Math.min(reserveBytes, segmentBytes)
  const written = await segment.file.write(zeros, 0, length, end).catch(() => undefined)
  segment.reserved = end + (written?.bytesWritten ?? 0)
}

/**
 * Ends a segment at its durable end; one without a durable record goes away. Where even that fails,
 * a reader may find whole records behind the end: clicks whose clients were told "not accepted,
 * send it again". They count once, by identity.
 */
async function seal(dir: string, segment: OpenSegment, files: WalFiles): Promise<void> {
  await segment.file.truncate(segment.offset).catch(() => {})
  await segment.file.close().catch(() => {})
  if (segment.offset <= segmentMagic.length) {
    await files.remove(segmentPath(dir, segment.segment)).catch(() => {})
  }
}

/** Adds up what lies between the shipped position and the durable end, over all segments. */
function createDepthLedger(backlog: WalWriterOptions['backlog']) {
  let segments = backlog.map(({ segment, bytes }) => ({ segment, start: 0, end: bytes }))
  let total = 0
  for (const entry of segments) {
    entry.start = total
    total += entry.end
    entry.end = total
  }
  return {
    grown({ segment, offset }: Position): void {
      const last = segments[segments.length - 1]
      if (last?.segment === segment) {
        total = last.start + offset
        last.end = total
      } else {
        segments.push({ segment, start: total, end: total + offset })
        total += offset
      }
    },
    depth(shipped: Position): number {
      if (segments[0] && segments[0].segment < shipped.segment) {
        segments = segments.filter((entry) => entry.segment >= shipped.segment)
      }
      const [first] = segments
      if (!first) return 0
      if (!isAtLeast(shipped, { segment: first.segment, offset: 0 })) return total - first.start
      return total - Math.min(first.start + shipped.offset, first.end)
    },
  }
}
