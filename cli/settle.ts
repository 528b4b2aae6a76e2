// Waiting until what was accepted has gone all the way, seen from outside: each stage counts only by a
// report made after the stage before it was seen done. Waits end when nothing moves for two minutes.
import { pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Progress } from './progress.ts'
import type { Session } from './session.ts'

const pollMs = 200
const stalledMs = 120_000
const startTimeoutMs = 1_800_000

interface Lag {
  readonly reported_seconds_ago: number | null
}

interface Freshness {
  readonly layers: {
    readonly ingest: Lag & { readonly wal_depth_clicks: number }
    readonly speed: Lag & { readonly lag_records: number }
    readonly olap: { readonly lag_records: number }
    readonly archive: Lag & { readonly lag_records: number }
  }
}

type Layers = Freshness['layers']

interface Status {
  readonly layers: {
    readonly speed: readonly {
      readonly partitions: readonly { readonly partition: number; readonly end: number }[]
    }[]
  }
}

/** A stage is done when a report newer than `since` shows nothing left. */
interface Stage {
  readonly name: string
  left(layers: Layers): number
  reportAge(layers: Layers): number | null
}

const shipped: Stage = {
  name: 'shipping to the event log',
  left: ({ ingest }) => ingest.wal_depth_clicks,
  reportAge: ({ ingest }) => ingest.reported_seconds_ago,
}
const judged: Stage = {
  name: 'judging',
  left: ({ speed, olap }) => speed.lag_records + olap.lag_records,
  reportAge: ({ speed }) => speed.reported_seconds_ago,
}
const archived: Stage = {
  name: 'archiving',
  left: ({ archive }) => archive.lag_records,
  reportAge: ({ archive }) => archive.reported_seconds_ago,
}

/** Lags were gathered up to this long before the answer. */
const answerAgeMs = 300

async function waitForStage(session: Session, stage: Stage, progress: Progress): Promise<void> {
  const since = performance.now() + answerAgeMs
  let best = Number.POSITIVE_INFINITY
  let most = 0
  let movedAt = performance.now()
  for (;;) {
    const { layers } = (await session.api.get('/v1/freshness')) as Freshness
    const left = stage.left(layers)
    const age = stage.reportAge(layers)
    if (left === 0 && age !== null && performance.now() - age * 1000 >= since) return
    most = Math.max(most, left)
    if (most > 0) progress.update({ done: most - left, total: most })
    if (left < best) movedAt = performance.now()
    best = Math.min(best, left)
    if (performance.now() - movedAt > stalledMs) {
      const detail = `${stage.name}: ${left} clicks left, and nothing has moved for ${stalledMs / 1000} s`
      throw new ClickledgerError('unavailable', detail)
    }
    await pause(pollMs, session.signal)
    session.signal?.throwIfAborted()
  }
}

/** Waits until every accepted click is judged and visible. */
export async function waitUntilJudged(session: Session, progress: Progress): Promise<void> {
  await waitForStage(session, shipped, progress)
  await waitForStage(session, judged, progress)
  progress.finish()
}

/** End of each partition of the event log, as the speed layer has seen it. */
async function logEnds(session: Session): Promise<number[]> {
  const status = (await session.api.get('/v1/status')) as Status
  const partitions = status.layers.speed.flatMap((node) => node.partitions)
  const ends: number[] = []
  for (const { partition, end } of partitions) ends[partition] = Math.max(end, ends[partition] ?? 0)
  return Array.from(ends, (end = 0) => end)
}

/** Waits until every judged click is archived: at once where the session can ask for it. */
export async function waitUntilArchived(session: Session, progress: Progress): Promise<void> {
  await session.archiveUntil?.(await logEnds(session))
  await waitForStage(session, archived, progress)
  progress.finish()
}

export interface RebuildBody {
  readonly from?: string
  readonly to?: string
  readonly dirty?: true
  readonly reason?: string
  readonly rule_set?: number
}

export interface Run {
  readonly run_id: string
  readonly status: string
  readonly hours: number
  readonly hours_done: number
  readonly result: unknown
}

/**
 * Starts a rebuild. It is recorded once the archive covers the log and the runs before it are over, so
 * the answer may take minutes.
 * @returns the run's id; undefined where there is nothing to rebuild
 */
export async function startRebuild(
  session: Session,
  body: RebuildBody,
): Promise<string | undefined> {
  const answer = await session.api.postOnce('/v1/rebuilds', body, startTimeoutMs)
  return (answer as { run_id: string | null }).run_id ?? undefined
}

/**
 * Waits for the end of a run.
 * @throws ClickledgerError where the run failed
 */
export async function waitForRun(
  session: Session,
  runId: string,
  progress: Progress,
): Promise<Run> {
  for (;;) {
    const run = (await session.api.get(`/v1/rebuilds/${encodeURIComponent(runId)}`)) as Run
    progress.update({ done: run.hours_done, total: run.hours })
    if (run.status === 'done') {
      progress.finish()
      return run
    }
    if (run.status === 'failed') {
      progress.finish()
      const { error } = (run.result ?? {}) as { error?: unknown }
      const why = typeof error === 'string' ? `: ${error}` : ''
      throw new ClickledgerError('internal', `the rebuild ${runId} failed${why}`)
    }
    await pause(pollMs, session.signal)
    session.signal?.throwIfAborted()
  }
}
