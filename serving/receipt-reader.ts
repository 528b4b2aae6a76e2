// The way to receipts: few at a time, because each reads files. The object store is opened for each,
// because what it holds on the local disk goes with it.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { findReceipt, type Receipt, type ReceiptQuestion } from '#platform/receipts/receipts.ts'
import { openObjectStore } from '#platform/stack.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { ReceiptReader } from './routes/clicks.ts'

const readingMax = 2
const waitingMax = 16

export interface ReceiptReaderParts {
  readonly settings: Settings
  readonly catalogue: Queryable
  /** Opens the event log once, and gives the same one again. */
  readonly log: () => Promise<EventLog>
}

export function createReceiptReader({
  settings,
  catalogue,
  log,
}: ReceiptReaderParts): ReceiptReader {
  const waiting: (() => void)[] = []
  let reading = 0

  const enter = async () => {
    if (reading < readingMax) reading++
    else if (waiting.length < waitingMax) await new Promise<void>((go) => waiting.push(go))
    else throw new ClickledgerError('too-many-requests', 'Too many receipts are being read.')
  }
  const leave = () => {
    const next = waiting.shift()
    if (next) next()
    else reading--
  }
  const read = async (question: ReceiptQuestion): Promise<Receipt | undefined> => {
    await enter()
    try {
      const opened = await log()
      const objects = await openObjectStore(settings)
      try {
        const timeoutMs = settings.CLICKLEDGER_QUERY_TIMEOUT
        return await findReceipt({ catalogue, log: opened, objects, timeoutMs }, question)
      } finally {
        await objects.close()
      }
    } catch (cause) {
      if (cause instanceof ClickledgerError) throw cause
      throw new ClickledgerError('unavailable', 'The archive cannot be read now.', cause)
    } finally {
      leave()
    }
  }
  return { find: read }
}
