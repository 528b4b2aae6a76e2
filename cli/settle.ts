// Waiting until what was accepted has gone all the way, seen from outside and while other clicks keep
// coming: by the watermark and by offsets, never by "nothing is waiting", which under load is never so.
// Waits end when nothing moves for two minutes.
import { pause } from '#platform/wait.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Progress } from './progress.ts'
import type { Session } from './session.ts'

const pollMs = 200
const stalledMs = 120_000
/** A rebuild first waits for the archive and for the runs before it. */
const startTimeoutMs = 1_800_000

interface Status {
  readonly layers: {
    readonly speed: readonly {
      readonly partitions: readonly { readonly partition: number; readonly end: number }[]
    }[]
    readonly archive: readonly { readonly archivedEnds: readonly number[] }[]
  }
}

/** How far something has come: done at 0 left. */
interface Look {
  readonly left: number
  /** Grows while things move. */
  readonly position: number
}

/** Looks until nothing is left. @throws ClickledgerError naming `what` when nothing moves any more */
async function waitFor(
  session: Session,
  what: string,
  progress: Progress,
  look: () => Promise<Look>,
): Promise<void> {
  let first: number | undefined
  let position = Number.NEGATIVE_INFINITY
  let movedAt = performance.now()
  for (;;) {
    const seen = await look()
    first ??= seen.left
    if (first > 0) progress.update({ done: first - seen.left, total: first })
    if (seen.left <= 0) break
    if (seen.position > position) movedAt = performance.now()
    position = Math.max(position, seen.position)
    if (performance.now() - movedAt > stalledMs) {
      const detail = `${what}: nothing has moved for ${stalledMs / 1000} s; see \`clickledger status\``
      throw new ClickledgerError('unavailable', detail)
    }
    await pause(pollMs, session.signal)
    session.signal?.throwIfAborted()
  }
  progress.finish()
}

const readFreshness = (session: Session) => session.api.read('getFreshness', {})
const readStatus = (session: Session) => session.api.get('/v1/status') as Promise<Status>

/**
 * Waits until every click accepted so far is judged and visible.
 * @param progress - of milliseconds of received time
 */
export async function waitUntilJudged(session: Session, progress: Progress): Promise<void> {
  const accepted = Date.parse((await readFreshness(session)).now)
  await waitFor(session, 'judging', progress, async () => {
    const { watermark } = await readFreshness(session)
    if (watermark === null) return { left: 1, position: 0 }
    const position = Date.parse(watermark)
    return { left: Math.max(0, accepted - position), position }
  })
}

/** Ends of the event log's partitions, as the speed layer has seen them. */
function logEnds({ layers }: Status): number[] {
  const ends: number[] = []
  for (const { partition, end } of layers.speed.flatMap((node) => node.partitions)) {
    ends[partition] = Math.max(end, ends[partition] ?? 0)
  }
  return Array.from(ends, (end) => end ?? 0)
}

/** Waits until every click judged so far is archived: at once where the session can ask for it. */
export async function waitUntilArchived(session: Session, progress: Progress): Promise<void> {
  const ends = logEnds(await readStatus(session))
  await session.archiveUntil?.(ends)
  await waitFor(session, 'archiving', progress, async () => {
    const { archive } = (await readStatus(session)).layers
    const archived = (partition: number) =>
      Math.max(0, ...archive.map(({ archivedEnds }) => archivedEnds[partition] ?? 0))
    const missing = ends.map((end, partition) => Math.max(0, end - archived(partition)))
    const left = missing.reduce((sum, n) => sum + n, 0)
    return { left, position: -left }
  })
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
