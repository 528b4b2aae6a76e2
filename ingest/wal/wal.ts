// The write-ahead log as ingest sees it: append, and be called back when the click is durable. The
// writer is on this thread; the sender has its own, because the embedded event log is synchronous
// and a Kafka client is busy: neither may delay an answer.
import { mkdir, stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import type { Clock } from '#platform/clock.ts'
import type { Settings } from '#platform/config.ts'
import { lockDirectory } from '#platform/directory-lock.ts'
import type { Logger } from '#platform/log.ts'
import { dataPaths } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import type { IngestHeartbeat } from '#schemas/heartbeats.ts'
import { samePosition, type WalControl, walControl } from './control.ts'
import { readCursor } from './cursor.ts'
import { listSegments, segmentPath } from './files.ts'
import type { FromSender, SenderThreadData, ToSender } from './messages.ts'
import { planStart, removeShipped } from './sender.ts'
import { createShippedGate } from './shipped-gate.ts'
import { type CommitReport, createWalWriter, type WalWriter } from './writer.ts'

/** At close, the sender gets this long to ship what is left. The rest is shipped after the restart. */
const drainMs = 5_000

export interface Wal {
  readonly append: WalWriter['append']
  readonly writer: WalWriter
  readonly control: WalControl
  /** Clicks that the event log has not acknowledged; undefined until what an earlier process left is known. */
  readonly depthRecords: number | undefined
  /** Hands a report to the sender's thread, which writes it into the catalogue. */
  report(reportedAt: number, body: IngestHeartbeat): void
  /** Rejected when the sender's thread dies. */
  readonly failed: Promise<never>
  /** Commits what is pending and lets the sender ship for a bounded time. Append nothing after. */
  drain(): Promise<void>
  /** Frees everything. What is unshipped is shipped after the next start. */
  close(): Promise<void>
}

export interface WalOptions {
  readonly settings: Settings
  readonly clock: Clock
  readonly logger: Logger
  onCommit?(report: CommitReport): void
}

/** Opens the log of this node and starts to ship what an earlier process left. */
export async function openWal({ settings, clock, logger, onCommit }: WalOptions): Promise<Wal> {
  const dir = dataPaths(settings).wal
  await mkdir(dir, { recursive: true })
  const unlock = lockDirectory(dir)
  const start = planStart(await listSegments(dir), await readCursor(dir))
  await removeShipped(dir, start.position)
  const control = walControl()
  control.clockOffset = Math.round(clock.now() - Date.now())
  control.shipped = start.position
  control.durable = { segment: start.firstSegment, offset: 0 }
  const backlog = await Promise.all(
    start.segments.map(async (segment) => ({
      segment,
      bytes: (await stat(segmentPath(dir, segment))).size,
    })),
  )
  const waitsForLog = settings.CLICKLEDGER_ACK === 'log'
  const gate = createShippedGate(control)
  const writer = createWalWriter({
    dir,
    control,
    segmentBytes: settings.CLICKLEDGER_WAL_SEGMENT_BYTES,
    bytesMax: settings.CLICKLEDGER_WAL_BYTES_MAX,
    backlog,
    firstSegment: start.firstSegment,
    ...(waitsForLog && { release: gate.hold }),
    ...(onCommit && { onCommit }),
  })
  const data: SenderThreadData = {
    settings,
    dir,
    shared: control.shared,
    firstSegment: start.firstSegment,
  }
  const sender = startSenderThread(data, logger, gate.check)

  return {
    append: writer.append,
    writer,
    control,
    get depthRecords() {
      if (!control.scanned) return undefined
      if (samePosition(control.shipped, control.durable)) return 0
      return Math.max(0, control.backlogRecords + writer.durableRecords - control.shippedRecords)
    },
    report(reportedAt, body) {
      control.clockOffset = Math.round(clock.now() - Date.now())
      sender.post({ kind: 'heartbeat', reportedAt, body })
    },
    failed: sender.failed,
    async drain() {
      await writer.close()
      const isShipped = () => samePosition(control.shipped, control.durable)
      const isOver = () => isShipped() || control.failures > 0 // not waiting for a log that is away
      await until(isOver, { timeoutMs: drainMs, what: 'the log is shipped' }).catch(() => {})
      if (!isShipped()) {
        logger.warn('stopping with unshipped clicks; they are shipped after the next start')
      }
      gate.releaseAll()
    },
    async close() {
      await sender.stop()
      unlock()
    },
  }
}

function startSenderThread(data: SenderThreadData, logger: Logger, onShipped: () => void) {
  const worker = new Worker(new URL('./sender-thread.ts', import.meta.url), { workerData: data })
  const post = (message: ToSender) => worker.postMessage(message)
  worker.on('message', (message: FromSender) => {
    if (message.kind === 'shipped') onShipped()
    else logger[message.level](message.fields, message.text)
  })
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const failed = new Promise<never>((_, reject) => {
    worker.once('error', reject)
  })
  failed.catch(() => {}) // whoever waits for it sees it; nobody has to
  return {
    post,
    failed,
    async stop() {
      post({ kind: 'stop' })
      const timer = setTimeout(() => void worker.terminate(), drainMs)
      await exited
      clearTimeout(timer)
    },
  }
}
