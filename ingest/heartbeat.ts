// This node's report, each second. The sealing proof waits for clicks that it calls unshipped.
import type { IngestHeartbeat } from '#schemas/heartbeats.ts'
import { type Counters, sumOf } from './counters.ts'
import type { Wal } from './wal/wal.ts'

const everyMs = 1_000

export interface HeartbeatOptions {
  readonly wal: Wal
  readonly counters: Counters
  readonly url: string
  now(): number
}

export function startHeartbeat({ wal, counters, url, now }: HeartbeatOptions) {
  const report = () => {
    // Before what an earlier process left is known, a report would claim that there is nothing.
    const walDepthClicks = wal.depthRecords
    if (walDepthClicks === undefined) return
    // The time first: a click that comes in between is in the report, or later than it.
    const reportedAt = now()
    const body: IngestHeartbeat = {
      url,
      accepted: sumOf(counters.accepted),
      notAccepted: sumOf(counters.notAccepted),
      walDepthClicks,
      walDepthBytes: wal.writer.depthBytes,
      oldestUnshipped: wal.writer.oldestUnshipped ?? null,
    }
    wal.report(reportedAt, body)
  }
  const timer = setInterval(report, everyMs)
  report()
  return {
    /** Sends a last report. */
    stop(): void {
      clearInterval(timer)
      report()
    },
  }
}
