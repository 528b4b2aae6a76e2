// How far the speed view is. Never by what the supervisor believes, which is seconds old and
// outlives its tasks: the tasks say what they hold, and the brokers must know those very segments.
import type { LogReader } from '../event-log/port.ts'
import type { DruidClient } from './druid-http.ts'
import { createPeeks, createUnreadWatch } from './druid-realtime-gaps.ts'
import { servedSegments } from './druid-segments.ts'
import type { DruidNames } from './druid-specs.ts'

const chatTimeoutMs = 2_000

type Offsets = Readonly<Record<string, number>>

interface TaskReport {
  readonly id: string
  readonly startingOffsets: Offsets
}

export interface SupervisorStatus {
  readonly detailedState: string
  readonly healthy: boolean
  readonly suspended: boolean
  readonly activeTasks: readonly TaskReport[]
  readonly publishingTasks: readonly TaskReport[]
  readonly recentErrors: readonly { readonly message?: string }[]
}

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

/** What a task holds: rows below the offsets, in these segments. */
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
  const wentOn = Object.entries(before.offsets).every(([p, at]) => (now.offsets[p] ?? 0) >= at)
  return hasAll && wentOn
}

interface Announced {
  readonly action: string
  readonly dataSource: string
  readonly interval: string
  readonly version: string
  readonly shardSpec: { readonly partitionNum: number }
}
/** A segment as both sides name it. */
const segmentKey = (segment: { interval: string; version: string }, partition: number) =>
  `${segment.interval} ${segment.version} ${partition}`
const keyOf = (segment: Announced) => segmentKey(segment, segment.shardSpec.partitionNum)

export interface RealtimeParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly partitions: number
  /** Addresses of all brokers; an empty text is the router. */
  brokers(): Promise<readonly string[]>
  endOffsets(): Promise<readonly number[]>
  reader(partition: number, from: number): Promise<LogReader>
  /** Ends the running tasks, in order, and begins new ones. */
  restart(): Promise<void>
}

export function createRealtime(parts: RealtimeParts) {
  const { client, names, partitions } = parts
  const locations = new Map<string, string>()
  /** The last offsets of a task that brokers showed all of, and in which segments. */
  const proven = new Map<string, Held>()
  /** Largest offset below which everything was once seen to be published. */
  const published = new Array<number>(partitions).fill(0)
  let last: SupervisorStatus | undefined
  /** The furthest that was ever shown, and whether it is shown now. */
  const furthest = new Array<number>(partitions).fill(0)
  let regressed = false

  const status = async (): Promise<SupervisorStatus> => {
    const path = `/druid/indexer/v1/supervisor/${names.speed}/status`
    try {
      const { payload } = (await client.ask({ path })) as { payload: SupervisorStatus }
      last = payload
    } catch (error) {
      // The tasks go on without the overlord; what they say is still asked of themselves.
      if (!last) throw error
    }
    return last
  }

  const ended = async (id: string): Promise<boolean> => {
    const path = `/druid/indexer/v1/task/${encodeURIComponent(id)}/status`
    const answer = await client.ask({ path }).catch(() => undefined)
    return (answer as { status?: { status?: string } } | undefined)?.status?.status === 'SUCCESS'
  }

  const locate = async (id: string): Promise<string> => {
    const known = locations.get(id)
    if (known) return known
    const path = `/druid/indexer/v1/task/${encodeURIComponent(id)}/status`
    const { status: task } = (await client.ask({ path })) as {
      status: { location: { host: string | null; port: number; tlsPort: number } }
    }
    const { host, port, tlsPort } = task.location
    if (!host) throw new Error(`task ${id} has no place yet`)
    const server = tlsPort > 0 ? `https://${host}:${tlsPort}` : `http://${host}:${port}`
    locations.set(id, server)
    return server
  }

  /** Segments of the speed view that a server says it serves. */
  const announced = async (server: string): Promise<readonly Announced[]> => {
    const path = '/druid-internal/v1/segments?counter=-1&hash=-1&timeout=1000'
    const answer = await client.ask({ server, path, timeoutMs: chatTimeoutMs })
    const { requests } = answer as { requests: readonly Announced[] | null }
    return (requests ?? []).filter((r) => r.action === 'load' && r.dataSource === names.speed)
  }

  /** Those of a server's segments that a broker does not ask it for. */
  const unknownTo = async (broker: string, server: string, segments: readonly Announced[]) => {
    if (segments.length === 0) return []
    const intervals = [...new Set(segments.map(({ interval }) => interval))]
    const served = await servedSegments(client, names.speed, intervals, broker)
    const { host } = new URL(server)
    const known = new Set(
      served
        .filter(({ locations: at }) => at.some((l) => (l.hostAndTlsPort ?? l.host) === host))
        .map((segment) => segmentKey(segment, segment.partitionNumber)),
    )
    return segments.map(keyOf).filter((key) => !known.has(key))
  }

  /** Offsets of a task that brokers show all of. */
  const visibleOf = async (id: string): Promise<TaskState['visible']> => {
    const server = await locate(id)
    // In this order: the segments include those of every row below the offsets.
    const path = `/druid/worker/v1/chat/${encodeURIComponent(id)}/offsets/current`
    const offsets = (await client.ask({ server, path, timeoutMs: chatTimeoutMs })) as Offsets
    const segments = await announced(server)
    const brokers = await parts.brokers()
    const unknown = (
      await Promise.all(brokers.map((broker) => unknownTo(broker, server, segments)))
    ).flat()
    const now = { offsets, segments: new Set(segments.map(keyOf)) }
    if (unknown.length > 0) {
      const before = proven.get(id)
      return before && stillShown(before, now, unknown) ? before.offsets : undefined
    }
    proven.set(id, now)
    return offsets
  }

  const stateOf = async ({ id, startingOffsets: start }: TaskReport): Promise<TaskState> => {
    try {
      return { start, visible: await visibleOf(id), done: false }
    } catch {
      return { start, visible: undefined, done: await ended(id) }
    }
  }

  const peeks = createPeeks(parts.reader)
  const unread = createUnreadWatch(parts.restart)

  return {
    status,
    /** Queries show less than they did: a task died with what it had not published. */
    regressed: () => regressed,
    async applied(): Promise<number[]> {
      const { activeTasks, publishingTasks } = await status()
      const reports = [...publishingTasks, ...activeTasks]
      const known = new Set(reports.map(({ id }) => id))
      for (const id of [...locations.keys(), ...proven.keys()]) {
        if (known.has(id)) continue
        locations.delete(id)
        proven.delete(id)
      }
      const tasks = await Promise.all(reports.map(stateOf))
      const applied = published.map((before, partition) => {
        const starts = tasks.map(({ start }) => start[partition] ?? Number.POSITIVE_INFINITY)
        const first = Math.min(...starts)
        if (Number.isFinite(first)) published[partition] = Math.max(before, first)
        return appliedOf(partition, tasks) ?? before
      })
      const isBack = (offset: number, partition: number) => offset < (furthest[partition] ?? 0)
      regressed = applied.some(isBack)
      for (const [partition, offset] of applied.entries()) {
        furthest[partition] = Math.max(furthest[partition] ?? 0, offset)
      }
      const ends = await parts.endOffsets()
      // Partitions that were added count from the next look on; until then nothing of them is applied.
      while (published.length < ends.length) published.push(0)
      unread.look(ends.length, tasks)
      return applied.map((offset, partition) =>
        // What it showed before and lost is no marker, even where the log has it no more.
        isBack(offset, partition) ? offset : peeks.past(partition, offset, ends[partition] ?? 0),
      )
    },
    close: () => Promise.all([peeks.close(), unread.close()]).then(() => {}),
  }
}
