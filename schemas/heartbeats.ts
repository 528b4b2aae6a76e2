// What each layer reports about itself, about once a second, in the catalogue's table `heartbeats`.
// Status, freshness, readiness and the sealing proof read it.

export interface IngestHeartbeat {
  readonly url: string
  readonly accepted: number
  /** Clicks that could not be made durable: redirected or refused, never counted. */
  readonly notAccepted: number
  readonly walDepthClicks: number
  readonly walDepthBytes: number
  /** Received time of the oldest click the event log has not acknowledged; null: none. */
  readonly oldestUnshipped: number | null
}

export interface SpeedPartition {
  readonly partition: number
  readonly committed: number
  readonly end: number
}

export interface SpeedHeartbeat {
  /** All clicks received before this time and present in the log then have been judged. */
  readonly watermark: number
  readonly partitions: readonly SpeedPartition[]
  /** Partitions that clicks.raw had when the watermark held; absent: reported by an older version. */
  readonly rawPartitions?: number
  /** End offsets of clicks.judged when the watermark held. */
  readonly judgedEnds: readonly number[]
  readonly counts: {
    readonly judged: number
    readonly valid: number
    readonly duplicate: number
    readonly invalid: number
    readonly copies: number
    readonly deadLettered: number
  }
  readonly stateKeys: number
  readonly stateFullRotations: number
}

export interface ArchiveHeartbeat {
  /** End of the manifest chain of each partition. */
  readonly archivedEnds: readonly number[]
  readonly logEnds: readonly number[]
}

export interface ServingHeartbeat {
  readonly url: string
}

export interface RebuildHeartbeat {
  /** Whether this process holds the lease: it seals and rebuilds. */
  readonly isActive: boolean
  /** Where the boundary could move to, ms; null: it is as far as lateness allows. */
  readonly candidate: number | null
  /** What it waits for, in words. */
  readonly obstacles: readonly string[]
  /** The evidence so far (core/boundary.ts, SealingProof); null where there is none. */
  readonly proof: unknown
}

export interface Heartbeats {
  ingest: IngestHeartbeat
  speed: SpeedHeartbeat
  archive: ArchiveHeartbeat
  serving: ServingHeartbeat
  rebuild: RebuildHeartbeat
}

export type LayerName = keyof Heartbeats
