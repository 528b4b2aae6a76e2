// The boundary B: batch answers [.., B), speed answers [B, ..). Always a whole hour.
import { hourMs, hourOf } from '#schemas/paths.ts'

/** Half-open range of event times in milliseconds. */
export interface Interval {
  readonly start: number
  readonly end: number // exclusive
}

export interface SplitInterval {
  /** Answered by the batch view; undefined where empty. */
  readonly batch: Interval | undefined
  /** Answered by the speed view; undefined where empty. */
  readonly speed: Interval | undefined
}

const nonEmpty = (start: number, end: number): Interval | undefined =>
  start < end ? { start, end } : undefined

/** Splits an interval at the boundary: no gap, no overlap. */
export function splitAtBoundary(interval: Interval, boundary: number): SplitInterval {
  return {
    batch: nonEmpty(interval.start, Math.min(interval.end, boundary)),
    speed: nonEmpty(Math.max(interval.start, boundary), interval.end),
  }
}

/**
 * How firm a bucket is. `final`: wholly below the boundary. `provisional`: above it, but all
 * clicks received before its end have been judged. `open`: more may come at any moment.
 */
export type Provenance = 'final' | 'provisional' | 'open'

export function provenanceOf(bucketEnd: number, boundary: number, watermark: number): Provenance {
  if (bucketEnd <= boundary) return 'final'
  return bucketEnd <= watermark ? 'provisional' : 'open'
}

/** The boundary of a new installation: the hour in which it was made. */
export const firstBoundary = (now: number): number => hourOf(now)

/** The furthest boundary that lateness allows: the end of the last hour that is over for long enough. */
export function sealableUntil(now: number, latenessMs: number): number {
  return hourOf(now - latenessMs)
}

/** Starts of the hours in [start, end); both whole hours. */
export function hoursBetween(start: number, end: number): number[] {
  const hours: number[] = []
  for (let hour = start; hour < end; hour += hourMs) hours.push(hour)
  return hours
}

/** What one partition of clicks.raw shows at the moment of sealing. */
export interface PartitionProof {
  readonly partition: number
  /** The log had accepted offsets [0, logEnd) at the time of the proof. */
  readonly logEnd: number
  /** The manifest chain covers [0, archivedEnd) without a hole. */
  readonly archivedEnd: number
}

export interface NodeReport {
  readonly node: string
  readonly reportedAt: number
  /** Received time of the oldest click in its write-ahead log that the event log has not; undefined: none. */
  readonly oldestUnshipped: number | undefined
}

/** The evidence that a boundary may move to `boundary`; stored with the record. */
export interface SealingProof {
  readonly boundary: number
  /** The log's ends were read at this time, at or after boundary + lateness. */
  readonly readAt: number
  readonly latenessMs: number
  readonly partitions: readonly PartitionProof[]
  readonly nodes: readonly NodeReport[]
  /** Nodes that were silent for too long and not waited for. */
  readonly silentNodes: readonly string[]
}

/** Why the boundary may not move yet; empty: the proof holds. */
export function sealingObstacles(proof: SealingProof): string[] {
  const obstacles: string[] = []
  if (proof.readAt < proof.boundary + proof.latenessMs) {
    obstacles.push('the log was read before the allowed lateness had passed')
  }
  for (const { partition, logEnd, archivedEnd } of proof.partitions) {
    if (archivedEnd < logEnd) {
      obstacles.push(`partition ${partition}: archived to ${archivedEnd}, the log holds ${logEnd}`)
    }
  }
  for (const { node, reportedAt, oldestUnshipped } of proof.nodes) {
    if (reportedAt < proof.boundary + proof.latenessMs) {
      obstacles.push(`ingest node ${node}: no report since the lateness passed`)
    } else if (
      oldestUnshipped !== undefined &&
      oldestUnshipped < proof.boundary + proof.latenessMs
    ) {
      obstacles.push(
        `ingest node ${node}: unshipped clicks since ${new Date(oldestUnshipped).toISOString()}`,
      )
    }
  }
  return obstacles
}
