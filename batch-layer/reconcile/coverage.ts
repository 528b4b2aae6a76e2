// What must have happened before an hour can be compared: the speed layer has judged all that the
// archive holds, and what it said is archived too. In this order, or a click would seem missing.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { pause } from '#platform/wait.ts'
import { groups, topics } from '#schemas/topics.ts'
import { archivedEnds } from '../archive/archive-index.ts'
import { requestArchive } from '../archive/requests.ts'

const pollMs = 50

export interface CoverageParts {
  readonly catalogue: Queryable
  readonly log: EventLog
  readonly now: () => number
  /** Waits so long at most; 0: looks once. */
  readonly waitMs: number
  readonly signal?: AbortSignal
}

export type Coverage =
  | {
      readonly kind: 'covered'
      /** By partition of clicks.raw: where its archive, and its log, ended. */
      readonly ends: readonly { readonly archived: number; readonly log: number }[]
    }
  | { readonly kind: 'waiting'; readonly detail: string }

/** The first partition that is not where it should be, as a text. */
function lagging(
  wanted: readonly number[],
  reached: readonly number[],
  what: string,
): string | undefined {
  const partition = wanted.findIndex((end, i) => (reached[i] ?? 0) < end)
  if (partition < 0) return undefined
  return `${what} is at offset ${reached[partition] ?? 0} of ${wanted[partition]}, partition ${partition}`
}

/** Waits until what is archived now is judged, and what is said about it is archived. */
export async function readCoverage(parts: CoverageParts): Promise<Coverage> {
  const { catalogue, log, now, waitMs, signal } = parts
  const deadline = Date.now() + waitMs
  const settled = async (look: () => Promise<string | undefined>): Promise<string | undefined> => {
    for (;;) {
      const obstacle = await look()
      if (obstacle === undefined || Date.now() >= deadline || signal?.aborted) return obstacle
      await pause(pollMs, signal)
    }
  }
  const archived = await archivedEnds(catalogue, (await log.endOffsets(topics.raw.name)).length)
  const unjudged = await settled(async () => {
    const judged = await log.committedOffsets(groups.speed, topics.raw.name)
    return lagging(archived, judged, `the speed layer, judging ${topics.raw.name},`)
  })
  if (unjudged !== undefined) return { kind: 'waiting', detail: unjudged }
  const judgedEnds = await log.endOffsets(topics.judged.name)
  await requestArchive(catalogue, judgedEnds, now(), 'judged')
  const unarchived = await settled(async () => {
    const reached = await archivedEnds(catalogue, judgedEnds.length, 'judged')
    return lagging(judgedEnds, reached, `the archive of ${topics.judged.name}`)
  })
  if (unarchived !== undefined) return { kind: 'waiting', detail: unarchived }
  const logEnds = await log.endOffsets(topics.raw.name)
  const ends = logEnds.map((end, i) => ({ archived: archived[i] ?? 0, log: end }))
  return { kind: 'covered', ends }
}
