// The watermark that reports may claim: every click received before it is visible to queries.
// Three facts must come together, each seen from another side: a speed heartbeat says that what
// the log held at W is judged; an ingest heartbeat from before W says what was still on its way to
// the log; the OLAP store says that the judged clicks are applied. An ingest heartbeat from after W
// proves nothing: its clicks may have reached the log between W and then.
// Nodes' clocks are taken to agree to a few milliseconds (NTP).
import { reaches } from '#core/offsets.ts'
import type { Heartbeat } from '#platform/heartbeats.ts'
import type { SpeedHeartbeat } from '#schemas/heartbeats.ts'

export interface WatermarkInput {
  readonly now: number
  readonly ingest: readonly Heartbeat<'ingest'>[]
  readonly speed: readonly Heartbeat<'speed'>[]
  /** Applied offsets of clicks.judged in the OLAP store. */
  readonly applied: readonly number[]
}

interface Candidate {
  readonly watermark: number
  readonly judgedEnds: readonly number[]
}

interface IngestReport {
  readonly reportedAt: number
  readonly oldestUnshipped: number | null
}

/** Reports remembered per node, and watermarks waiting for the store: a minute's worth. */
const historyMax = 120

/** Of several speed nodes, those that hold a partition by the newest report about it. */
export function speedCandidate(
  speed: readonly Heartbeat<'speed'>[],
): (SpeedHeartbeat & { reportedAt: number }) | undefined {
  const newestFirst = [...speed].sort((a, b) => b.reportedAt - a.reportedAt)
  const covered = new Set<number>()
  const chosen = newestFirst.filter(({ body }) => {
    const fresh = body.partitions.filter(({ partition }) => !covered.has(partition))
    for (const { partition } of fresh) covered.add(partition)
    return fresh.length > 0
  })
  const [first] = chosen
  if (!first) return undefined
  const width = Math.max(...chosen.map(({ body }) => body.judgedEnds.length))
  // Of a partition that nobody holds nothing is known. clicks.judged has as many as clicks.raw, but
  // for a while after some were added.
  const rawWidth = Math.max(width, ...chosen.map(({ body }) => body.rawPartitions ?? 0))
  const isWhole = covered.size >= rawWidth
  return {
    ...first.body,
    reportedAt: first.reportedAt,
    watermark: isWhole ? Math.min(...chosen.map(({ body }) => body.watermark)) : 0,
    partitions: chosen.flatMap(({ body }) => body.partitions),
    judgedEnds: Array.from({ length: width }, (_, p) =>
      Math.max(...chosen.map(({ body }) => body.judgedEnds[p] ?? 0)),
    ),
  }
}

export interface Watermark {
  /** Ms; undefined while nothing is proven. It never moves back. */
  readonly watermark: number | undefined
  /**
   * The store does not show all that it showed before: its realtime ingestion starts again. Sums
   * are too small until it has caught up.
   */
  readonly isDegraded: boolean
}

/** Follows heartbeats and offsets, and says how far the watermark is. */
export function createWatermarkTracker({ nodeSilenceMs }: { nodeSilenceMs: number }) {
  const reports = new Map<string, IngestReport[]>()
  let candidates: Candidate[] = []
  let watermark: number | undefined
  let shown: readonly number[] = []

  const remember = ({ node, reportedAt, body }: Heartbeat<'ingest'>) => {
    const history = reports.get(node) ?? []
    if (history.at(-1)?.reportedAt === reportedAt) return
    reports.set(
      node,
      [...history, { reportedAt, oldestUnshipped: body.oldestUnshipped }].slice(-historyMax),
    )
  }

  /** Everything received before this was in the log at `time`; undefined: unknown. */
  const shippedBefore = (time: number, now: number): number | undefined => {
    let bound = time
    for (const [node, history] of reports) {
      const last = history.at(-1)
      if (!last || last.reportedAt < now - nodeSilenceMs) {
        reports.delete(node)
        continue
      }
      const known = history.findLast((report) => report.reportedAt <= time)
      if (!known) return undefined
      bound = Math.min(bound, known.oldestUnshipped ?? known.reportedAt)
    }
    return bound
  }

  const isWhole = (applied: readonly number[]) => reaches(applied, shown)

  return {
    isWhole,
    /** The furthest offsets that the store ever showed. */
    shown: () => shown,
    /** Takes the newest facts in. */
    update({ now, ingest, speed, applied }: WatermarkInput): Watermark {
      const isDegraded = !isWhole(applied)
      shown = applied.map((offset, p) => Math.max(offset, shown[p] ?? 0))
      for (const heartbeat of ingest) remember(heartbeat)
      const newest = speedCandidate(speed)
      const bound = newest && shippedBefore(newest.watermark, now)
      if (newest && bound !== undefined && bound > (candidates.at(-1)?.watermark ?? -1)) {
        candidates.push({ watermark: bound, judgedEnds: newest.judgedEnds })
        candidates = candidates.slice(-historyMax)
      }
      const proven = candidates.findLastIndex(({ judgedEnds }) => reaches(applied, judgedEnds))
      if (proven >= 0) {
        watermark = Math.max(watermark ?? 0, candidates[proven]?.watermark ?? 0)
        candidates = candidates.slice(proven + 1)
      }
      return { watermark, isDegraded }
    },
  }
}
