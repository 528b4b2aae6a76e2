// The sender's thread: wiring only. Also writes this node's heartbeats, because a catalogue may be
// synchronous too. Opening the event log is tried until it works: clicks are accepted meanwhile.
import { parentPort, workerData } from 'node:worker_threads'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { backoffMs, pause } from '#platform/wait.ts'
import { walControl } from './control.ts'
import type { FromSender, SenderThreadData, ToSender } from './messages.ts'
import { runSender } from './sender.ts'

/** With CLICKLEDGER_ACK=wal nobody waits for the log: fewer, larger batches. */
const lingerMs = 15

const { settings, dir, shared, firstSegment } = workerData as SenderThreadData
const port = parentPort
if (!port) throw new Error('this module is the sender thread of ingest')

const control = walControl(shared)
const stopping = new AbortController()
const post = (message: FromSender) => port.postMessage(message)
const warn = (text: string, error: unknown, attempt = 0) => {
  // One line per doubling: a log that is away for hours does not fill the disk with complaints.
  if ((attempt & (attempt - 1)) !== 0) return
  const message = error instanceof Error ? error.message : String(error)
  post({ kind: 'log', level: 'warn', text, fields: { attempt, error: message } })
}

let catalogue: Catalogue | undefined
let reporting = false
async function report({ reportedAt, body }: Extract<ToSender, { kind: 'heartbeat' }>) {
  // A report that is late is left out rather than queued.
  if (reporting) return
  reporting = true
  try {
    catalogue ??= await openCatalogue(settings)
    await reportHeartbeat(catalogue, 'ingest', settings.CLICKLEDGER_NODE_ID, reportedAt, body)
  } catch (error) {
    warn('the heartbeat could not be written', error)
  } finally {
    reporting = false
  }
}

port.on('message', (message: ToSender) => {
  if (message.kind === 'stop') stopping.abort()
  else void report(message)
})

async function openLog(): Promise<EventLog | undefined> {
  for (let attempt = 1; !stopping.signal.aborted; attempt++) {
    try {
      return await openEventLog(settings, () => Date.now() + control.clockOffset)
    } catch (error) {
      control.failures = attempt
      control.failuresTotal++
      warn('the event log could not be opened', error, attempt)
      await pause(backoffMs(attempt), stopping.signal)
    }
  }
  return undefined
}

const waitsForLog = settings.CLICKLEDGER_ACK === 'log'
const log = await openLog()
if (log) {
  await runSender({
    dir,
    log,
    control,
    firstSegment,
    signal: stopping.signal,
    lingerMs: waitsForLog ? 0 : lingerMs,
    ...(waitsForLog && { onShipped: () => post({ kind: 'shipped' }) }),
    onFailure: (error, attempt) => warn('a batch was not acknowledged', error, attempt),
    onLost: (segment, bytes) =>
      post({
        kind: 'log',
        level: 'error',
        text: 'the end of a segment is unreadable: a torn write that was never acknowledged, or damage',
        fields: { segment, bytes },
      }),
  })
  await log.close()
}
await catalogue?.close()
port.close()
