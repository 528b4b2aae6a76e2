// Where latency matters ingest has machines of its own. On one that it shares with every server, the
// servers go behind it. Their niceness alone does nothing: Linux shares processors among sessions first,
// and niceness counts within one. So their sessions get one, too, those started meanwhile included.
import { writeFileSync } from 'node:fs'
import type { ExecutionContext } from 'ava'
import { testServers } from './stack.ts'

const niceness = 10
const everyMs = 100

/** Nothing where sessions have no niceness (no Linux, or control groups instead). */
function setSessionNiceness(pid: number, value: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(value))
  } catch {
    // or it has just ended
  }
}

/** Until the test ends. */
export function letServersGiveWay(t: ExecutionContext): void {
  const { servers } = testServers()
  const given = new Set<number>()
  const pids = () => servers.flatMap((server) => server.pid() ?? [])
  const give = () => {
    for (const pid of pids().filter((one) => !given.has(one))) {
      setSessionNiceness(pid, niceness)
      given.add(pid)
    }
  }
  give()
  const timer = setInterval(give, everyMs)
  t.teardown(() => {
    clearInterval(timer)
    for (const pid of pids()) setSessionNiceness(pid, 0)
  })
}
