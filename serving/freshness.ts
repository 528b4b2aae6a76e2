// How fresh answers are: boundary, watermark, the lag of every layer, and one word for it all.
// Facts are gathered at most every 200 ms and shared by all requests; the boundary is not among
// them (serving/boundary.ts).

import type { BoundaryRecord } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Clock } from '#platform/clock.ts'
import { type Heartbeat, newestReport, readHeartbeats } from '#platform/heartbeats.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { createRefreshed } from '#platform/refreshed.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { createWatermarkTracker, speedCandidate } from './watermark.ts'

/** An older watermark claims less, and what has gone out of sight since is looked for after each query. */
const factsAge = { freshMs: 200, givenMs: 600 }
/** A layer that has not reported for this long is taken for dead. */
const silentMs = 10_000
/** Beyond this the answers are called `behind`. */
const behindMs = 5_000

export interface Facts {
  readonly at: number
  /** Undefined while nothing is proven, and while the store is degraded. */
  readonly watermark: number | undefined
  /** See serving/watermark.ts. */
  readonly isDegraded: boolean
  readonly applied: readonly number[]
  readonly ingest: readonly Heartbeat<'ingest'>[]
  readonly speed: readonly Heartbeat<'speed'>[]
  readonly archive: readonly Heartbeat<'archive'>[]
  readonly serving: readonly Heartbeat<'serving'>[]
}

export interface FactsReader {
  /** @throws ClickledgerError `unavailable` where the OLAP store or the catalogue is */
  read(): Promise<Facts>
  /** As `read`, gathered after the call: for questions that are rare, about this very moment. */
  readAnew(): Promise<Facts>
  /** Whether the store shows, at this moment, all that it has ever shown. @throws as `read` */
  isWhole(): Promise<boolean>
}

export interface FactsDeps {
  readonly catalogue: Queryable
  readonly olap: Pick<OlapStore, 'realtime'>
  readonly clock: Clock
  readonly nodeSilenceMs: number
}

/** Gathers facts, one gathering at a time however many ask. */
export function createFactsReader(deps: FactsDeps): FactsReader {
  const { catalogue, olap, clock, nodeSilenceMs } = deps
  const tracker = createWatermarkTracker({ nodeSilenceMs })

  const appliedNow = async (atLeast?: readonly number[]): Promise<readonly number[]> => {
    const { applied } = await olap.realtime(atLeast).catch((cause: unknown) => {
      throw new ClickledgerError('unavailable', 'The OLAP store does not answer.', cause)
    })
    return applied
  }

  const gather = async (): Promise<Facts> => {
    // Heartbeats before offsets: the offsets are then at least as new as what they are held against.
    const [ingest, speed, archive, serving] = await Promise.all([
      readHeartbeats(catalogue, 'ingest'),
      readHeartbeats(catalogue, 'speed'),
      readHeartbeats(catalogue, 'archive'),
      readHeartbeats(catalogue, 'serving'),
    ])
    const applied = await appliedNow()
    const now = clock.now()
    const { watermark, isDegraded } = tracker.update({ now, ingest, speed, applied })
    const proven = isDegraded ? undefined : watermark
    return { at: now, watermark: proven, isDegraded, applied, ingest, speed, archive, serving }
  }

  const facts = createRefreshed(gather, factsAge)
  return {
    read: facts.get,
    readAnew: facts.anew,
    isWhole: async () => tracker.isWhole(await appliedNow(tracker.shown())),
  }
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
const behind = (ends: readonly number[], positions: readonly number[]) =>
  sumOf(ends.map((end, p) => Math.max(0, end - (positions[p] ?? 0))))
const secondsSince = (now: number, time: number) => Math.max(0, Math.round(now - time) / 1000)
const isoOrNull = (time: number | null | undefined) =>
  time === null || time === undefined ? null : new Date(time).toISOString()

/** Seconds since the newest report of a layer; null where there is none. */
function reportAge(now: number, heartbeats: readonly Heartbeat<'ingest' | 'speed' | 'archive'>[]) {
  const newest = newestReport(heartbeats)
  return newest ? secondsSince(now, newest.reportedAt) : null
}

/** How far each layer is behind the one before it. */
export function lagsOf(now: number, facts: Facts) {
  const speed = speedCandidate(facts.speed)
  // Each node's report is about all partitions: an older one, of a node that is gone, says nothing more.
  const archive = newestReport(facts.archive)?.body
  const unshipped = facts.ingest
    .map(({ body }) => body.oldestUnshipped)
    .filter((time) => time !== null)
  return {
    ingest: {
      reported_seconds_ago: reportAge(now, facts.ingest),
      wal_depth_clicks: sumOf(facts.ingest.map(({ body }) => body.walDepthClicks)),
      lag_seconds: unshipped.length === 0 ? 0 : secondsSince(now, Math.min(...unshipped)),
    },
    speed: {
      reported_seconds_ago: reportAge(now, facts.speed),
      lag_records: sumOf(
        (speed?.partitions ?? []).map(({ committed, end }) => Math.max(0, end - committed)),
      ),
      lag_seconds: speed ? secondsSince(now, speed.watermark) : null,
    },
    olap: { lag_records: behind(speed?.judgedEnds ?? [], facts.applied) },
    archive: {
      reported_seconds_ago: reportAge(now, facts.archive),
      lag_records: archive ? behind(archive.logEnds, archive.archivedEnds) : 0,
    },
  }
}

export const freshnessStates = ['live', 'behind', 'degraded', 'stalled', 'starting'] as const
export type FreshnessState = (typeof freshnessStates)[number]

/** One word for how fresh answers are, and a sentence. */
export function stateOf(now: number, facts: Facts): { state: FreshnessState; detail: string } {
  const newest = newestReport(facts.speed)
  if (!newest) {
    return { state: 'starting', detail: 'The speed layer has not reported yet.' }
  }
  const silence = now - newest.reportedAt
  if (silence > silentMs) {
    const seconds = Math.round(silence / 1000)
    return { state: 'stalled', detail: `The speed layer has been silent for ${seconds} s.` }
  }
  if (facts.isDegraded) {
    const detail =
      'The OLAP store takes its realtime ingestion up again: newest clicks are missing for a while.'
    return { state: 'degraded', detail }
  }
  if (facts.watermark === undefined) {
    return { state: 'starting', detail: 'Nothing is proven visible yet; this takes seconds.' }
  }
  const lag = now - facts.watermark
  if (lag <= behindMs) {
    return { state: 'live', detail: 'Clicks are visible within seconds.' }
  }
  const { ingest, speed, olap } = lagsOf(now, facts)
  const where =
    ingest.lag_seconds * 1000 > behindMs
      ? `${ingest.wal_depth_clicks} clicks wait in a write-ahead log for the event log`
      : speed.lag_records > 0
        ? `${speed.lag_records} clicks wait to be judged`
        : olap.lag_records > 0
          ? `${olap.lag_records} judged clicks wait to be loaded`
          : 'a layer has not reported lately'
  return { state: 'behind', detail: `Answers are ${Math.round(lag / 1000)} s behind: ${where}.` }
}

/** The answer of `GET /v1/freshness`. */
export function describeFreshness(now: number, facts: Facts, published: BoundaryRecord) {
  const layers = lagsOf(now, facts)
  return {
    now: new Date(now).toISOString(),
    ...stateOf(now, facts),
    boundary: new Date(published.boundary).toISOString(),
    boundary_published_at: new Date(published.publishedAt).toISOString(),
    boundary_lag_seconds: secondsSince(now, published.boundary),
    watermark: isoOrNull(facts.watermark),
    lag_seconds: facts.watermark === undefined ? null : secondsSince(now, facts.watermark),
    wal_depth_clicks: layers.ingest.wal_depth_clicks,
    layers,
  }
}
