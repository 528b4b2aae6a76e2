// Beginning and end of the HTTP server, and its clock.
import type { Server } from 'node:http'

/** Requests in flight get this long at close. */
const drainMs = 5_000
const sweepMs = 20

/** Listens. @throws what the system says, such as EADDRINUSE */
export async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, 1024, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Takes no new connections, answers what is in flight within a deadline, closes the rest. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve())
  })
  // A connection that was busy becomes idle after its answer, and nobody else closes it then.
  const sweep = setInterval(() => server.closeIdleConnections(), sweepMs)
  const deadline = setTimeout(() => server.closeAllConnections(), drainMs)
  await closed
  clearInterval(sweep)
  clearTimeout(deadline)
}

/** A clock that never goes back, whatever the system's does. */
export function monotonic(now: () => number): () => number {
  let last = 0
  return () => {
    last = Math.max(last, now())
    return last
  }
}
