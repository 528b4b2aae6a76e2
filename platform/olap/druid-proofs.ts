// What can be said of the speed view from what its tasks and the brokers say. Pure: the asking is
// druid-realtime.ts.
import type { Interval } from '#core/boundary.ts'
import { overlaps } from '#core/grain.ts'
import { parseInterval } from './druid-specs.ts'

/**
 * A look that is younger tells what was so as a query began. What was lost is not served again so soon: a
 * server has to start; a task has to be missed, submitted, given its locks, and has to read the log again.
 */
export const lookAgeMs = 250

/** By partition. */
export type Offsets = Readonly<Record<string, number>>

/** A task's part of the chain from what is published to what is applied. */
export interface TaskState {
  readonly start: Offsets
  /** What it holds and brokers show; undefined: nothing of it can be seen. */
  readonly visible: Offsets | undefined
  /** It has ended well: all of it is published. */
  readonly done: boolean
}

/**
 * The offset of one partition below which everything is published or shown by a live task. Replicas
 * start at the same offset and a broker may ask any of them, so the slowest counts.
 * @returns undefined where no task reads the partition
 */
export function appliedOf(partition: number, tasks: readonly TaskState[]): number | undefined {
  const mine = tasks.filter(({ start }) => start[partition] !== undefined)
  const groups = [...Map.groupBy(mine, ({ start }) => Number(start[partition]))]
  groups.sort(([a], [b]) => a - b)
  let applied: number | undefined
  for (const [start, replicas] of groups) {
    if (applied === undefined) applied = start
    // A gap: the task before has not read up to where this one began.
    if (start > applied) return applied
    const visible = replicas.flatMap((task) =>
      task.visible ? [task.visible[partition] ?? start] : [],
    )
    if (visible.length > 0) applied = Math.max(applied, Math.min(...visible))
    else if (!replicas.some(({ done }) => done)) return applied
    else {
      // Published: the next one begins where this one ended.
      const next = groups.find(([other]) => other > start)?.[0]
      if (next === undefined) return applied
      applied = next
    }
  }
  return applied
}

/** What a task holds: rows below the offsets, in these segments (segmentKey). */
export interface Held {
  readonly offsets: Offsets
  readonly segments: ReadonlySet<string>
}

/**
 * Whether brokers that do not know all of a task's segments still show what they showed before. So it
 * is where they have just not found a new hour yet; not where the task began again under its own name.
 * @param unknown - segments of `now` that a broker does not know
 */
export function stillShown(before: Held, now: Held, unknown: readonly string[]): boolean {
  const hasAll = [...before.segments].every(
    (key) => now.segments.has(key) && !unknown.includes(key),
  )
  return hasAll && wentOn(before.offsets, now.offsets)
}

/** A segment as all sides name it. */
export const segmentKey = (
  segment: { readonly interval: string; readonly version: string },
  partition: number,
): string => `${segment.interval} ${segment.version} ${partition}`
export const intervalIn = (key: string): string => key.slice(0, key.indexOf(' '))

/**
 * Whether an answer was made from all that was held and that its query touches.
 * @param within - interval of the query
 * @param read - segments that the answer names
 */
export const wasRead = (
  held: readonly Held[],
  within: Interval,
  read: ReadonlySet<string>,
): boolean =>
  held.every(({ segments }) =>
    [...segments].every(
      (key) => read.has(key) || !overlaps(parseInterval(intervalIn(key)), within),
    ),
  )

/** No offset went back. */
export const wentOn = (before: Offsets, now: Offsets): boolean =>
  Object.entries(before).every(([partition, at]) => (now[partition] ?? 0) >= at)
