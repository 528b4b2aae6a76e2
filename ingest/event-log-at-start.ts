// A node looks at the event log before it takes its first click. Wrong settings end the start; so does
// a log that is away, unless this node has shipped to it before: then a restart during an outage must
// not turn users away, and the write-ahead log keeps what they clicked.
import type { Settings } from '#platform/config.ts'
import type { Logger } from '#platform/log.ts'
import { dataPaths, openEventLog } from '#platform/stack.ts'
import { ClickledgerError, type ErrorCode } from '#schemas/errors.ts'
import { readCursor } from './wal/cursor.ts'

/** Waiting mends none of these. */
const wrong: ReadonlySet<ErrorCode> = new Set(['invalid-settings', 'incompatible-schema'])

/** @throws ClickledgerError what the log was refused with */
export async function checkEventLog(settings: Settings, logger: Logger): Promise<void> {
  try {
    await (await openEventLog(settings, Date.now)).close()
  } catch (error) {
    const isWrong = error instanceof ClickledgerError && wrong.has(error.code)
    if (isWrong || !(await readCursor(dataPaths(settings).wal))) throw error
    logger.warn({ err: error }, 'the event log is away: clicks wait in the write-ahead log')
  }
}
