// What the servers said: the end of each log file, and what is added to it.
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { pause } from '#platform/wait.ts'
import type { Server } from './server.ts'

const shownFirstBytes = 8_192
const readBytesMax = 64 * 1024
const lookEveryMs = 250

/** Writes the last lines of each; with a signal goes on until it aborts. */
export async function followLogs(servers: readonly Server[], signal?: AbortSignal): Promise<void> {
  const readers = servers.map((server) => createReader(server, servers.length > 1))
  do {
    for (const read of readers) read()
    if (signal) await pause(lookEveryMs, signal)
  } while (signal && !signal.aborted)
}

function createReader({ name, logFile }: Server, isNamed: boolean): () => void {
  const sizeOf = () => statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
  let offset = Math.max(0, sizeOf() - shownFirstBytes)
  let isWithinLine = offset > 0
  return () => {
    if (sizeOf() < offset) offset = 0 // a new file
    if (sizeOf() === offset) return
    const buffer = Buffer.alloc(readBytesMax)
    const file = openSync(logFile, 'r')
    const bytes = readSync(file, buffer, 0, readBytesMax, offset)
    closeSync(file)
    // Whole lines only, unless one is longer than the buffer; the first may be cut.
    const end =
      buffer.subarray(0, bytes).lastIndexOf('\n') + 1 || (bytes === readBytesMax ? bytes : 0)
    const start = isWithinLine && end > 0 ? buffer.indexOf('\n') + 1 : 0
    offset += end
    if (end > 0) isWithinLine = false
    const text = buffer.toString('utf8', start, end)
    process.stdout.write(isNamed ? text.replaceAll(/^(?=.)/gm, `${name}: `) : text)
  }
}
