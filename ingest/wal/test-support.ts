// What the tests of the write-ahead log share: clicks, a log in memory, files that fail on demand.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { partitionKey } from '#core/identity.ts'
import type { NewRecord } from '#platform/event-log/port.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import type { ErrorCode } from '#schemas/errors.ts'
import type { RawClick } from '#schemas/fields.ts'
import { blankRaw } from '../../tests/support/blank-clicks.ts'
import { walControl } from './control.ts'
import { readCursor } from './cursor.ts'
import { listSegments, type WalFile, type WalFiles, walFiles } from './files.ts'
import { planStart, runSender } from './sender.ts'
import { createWalWriter, type WalWriter, type WalWriterOptions } from './writer.ts'

export function click(eventId: string, receivedTime: number): RawClick {
  const named = { event_id: eventId, event_time: receivedTime, received_time: receivedTime }
  return { ...blankRaw, ...named, ad_id: 'ad-1', user_agent: 'agent é 😀' }
}

export async function temporaryDirectory(t: ExecutionContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'clickledger-wal-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export type Fault = 'create' | 'write' | 'partial' | 'sync' | 'truncate'

/** Real files, with faults that can be switched on. */
export function faultyFiles(): WalFiles & { readonly faults: Set<Fault> } {
  const faults = new Set<Fault>()
  const full = () => Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' })
  const failing = (file: WalFile): WalFile => ({
    async write(buffer, offset, length, position) {
      if (faults.has('write')) throw full()
      if (!faults.has('partial')) return file.write(buffer, offset, length, position)
      if (length < 2) throw full()
      return file.write(buffer, offset, Math.floor(length / 2), position)
    },
    async datasync() {
      if (faults.has('sync')) throw full()
      return file.datasync()
    },
    async truncate(length) {
      if (faults.has('truncate')) throw full()
      return file.truncate(length)
    },
    close: () => file.close(),
  })
  return {
    faults,
    async create(path) {
      if (faults.has('create')) throw full()
      return failing(await walFiles.create(path))
    },
    remove: (path) => walFiles.remove(path),
  }
}

/** An event log in memory that can be away. */
export function memoryLog() {
  const records: NewRecord[] = []
  const log = {
    isAway: false,
    records,
    async append(_topic: string, batch: readonly NewRecord[]) {
      if (log.isAway) throw new Error('the log is away')
      for (const { value, ...rest } of batch) records.push({ ...rest, value: Buffer.from(value) })
    },
    eventIds: (): string[] =>
      records.map(({ value }) => {
        const decoded = decodeRawClick(value)
        if (decoded.kind === 'reject') throw new Error(decoded.reason)
        return decoded.click.event_id
      }),
  }
  return log
}

/** A writer on a directory, as a new process would open it. */
export async function startWriter(dir: string, options: Partial<WalWriterOptions> = {}) {
  const start = planStart(await listSegments(dir), await readCursor(dir))
  const control = walControl()
  control.shipped = start.position
  control.durable = { segment: start.firstSegment, offset: 0 }
  const writer = createWalWriter({
    dir,
    control,
    segmentBytes: 64 * 1024,
    bytesMax: 1024 ** 3,
    backlog: [],
    firstSegment: start.firstSegment,
    ...options,
  })
  return { writer, control, ...start }
}

export function startSender(
  dir: string,
  started: Awaited<ReturnType<typeof startWriter>>,
  log: ReturnType<typeof memoryLog>,
  onLost?: (segment: number, bytes: number) => void,
) {
  const stopping = new AbortController()
  const { control, firstSegment } = started
  const { signal } = stopping
  const done = runSender({
    dir,
    log,
    control,
    firstSegment,
    signal,
    lingerMs: 0,
    ...(onLost && { onLost }),
  })
  return {
    async stop() {
      stopping.abort()
      await done
    },
  }
}

/** Appends and waits for the answer. */
export function append(writer: WalWriter, eventId: string, at = 1): Promise<ErrorCode | undefined> {
  const one = click(eventId, at)
  return new Promise((resolve) => writer.append(partitionKey('ad-1', eventId), one, resolve))
}
