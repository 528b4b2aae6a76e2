// How far the speed view is. Never by what the supervisor believes, which is seconds old and
// outlives its tasks: the tasks say what they hold, and the brokers must know those very segments.
import type { Interval } from '#core/boundary.ts'
import { reaches } from '#core/offsets.ts'
import type { LogReader } from '../event-log/port.ts'
import type { ReadSegment } from './druid-by-segment.ts'
import type { DruidClient } from './druid-http.ts'
import {
  appliedOf,
  type Held,
  intervalIn,
  lookAgeMs,
  type Offsets,
  segmentKey,
  stillShown,
  type TaskState,
  wasRead,
  wentOn,
} from './druid-proofs.ts'
import { createPeeks, createUnreadWatch } from './druid-realtime-gaps.ts'
import { servedSegments } from './druid-segments.ts'
import type { DruidNames } from './druid-specs.ts'

const chatTimeoutMs = 2_000
const listedEveryMs = 1_000

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

interface Announced {
  readonly action: string
  readonly dataSource: string
  readonly interval: string
  readonly version: string
  readonly shardSpec: { readonly partitionNum: number }
}
const keyOf = (segment: Announced) => segmentKey(segment, segment.shardSpec.partitionNum)
const keyOfRead = ({ whole, version, partition }: ReadSegment) =>
  segmentKey({ interval: whole, version }, partition)

export interface RealtimeParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly partitions: number
  /** Addresses of all brokers; an empty text is the router. */
  brokers(): Promise<readonly string[]>
  endOffsets(): Promise<readonly number[]>
  reader(partition: number, from: number): Promise<LogReader>
  /** Whether segments that are published would be missed where nobody shows them. */
  isListed(): Promise<boolean>
  /** Ends the running tasks, in order, and begins new ones. */
  restart(): Promise<void>
}

export function createRealtime(parts: RealtimeParts) {
  const { client, names, partitions } = parts
  const locations = new Map<string, string>()
  /** The last offsets of a task that brokers showed all of, and in which segments. */
  const proven = new Map<string, Held>()
  /** Largest offset below which everything was once seen to be published, and would be missed. */
  const published = new Array<number>(partitions).fill(0)
  let listedAskedAt = Number.NEGATIVE_INFINITY
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

  const isListed = () => parts.isListed().catch(() => false)

  /** Its rows are published, and would be missed. */
  const ended = async (id: string): Promise<boolean> => {
    const path = `/druid/indexer/v1/task/${encodeURIComponent(id)}/status`
    const answer = await client.ask({ path }).catch(() => undefined)
    const { status: task } = (answer ?? {}) as { status?: { status?: string } }
    return task?.status === 'SUCCESS' && isListed()
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
  const unknownTo = async (broker: string, server: string, segments: ReadonlySet<string>) => {
    if (segments.size === 0) return []
    const intervals = new Set([...segments].map(intervalIn))
    const served = await servedSegments(client, names.speed, [...intervals], broker)
    const { host } = new URL(server)
    const known = new Set(
      served
        .filter(({ locations: at }) => at.some((l) => (l.hostAndTlsPort ?? l.host) === host))
        .map((segment) => segmentKey(segment, segment.partitionNumber)),
    )
    return [...segments].filter((key) => !known.has(key))
  }
  const unknownToBrokers = async (server: string, segments: ReadonlySet<string>) => {
    const brokers = await parts.brokers()
    return (await Promise.all(brokers.map((one) => unknownTo(one, server, segments)))).flat()
  }

  const offsetsOf = async (id: string, server: string): Promise<Offsets> => {
    const path = `/druid/worker/v1/chat/${encodeURIComponent(id)}/offsets/current`
    return (await client.ask({ server, path, timeoutMs: chatTimeoutMs })) as Offsets
  }

  /** What a task holds and brokers show all of. */
  const visibleOf = async (id: string): Promise<Held | undefined> => {
    const server = await locate(id)
    // In this order: the segments include those of every row below the offsets.
    const offsets = await offsetsOf(id, server)
    const segments = new Set((await announced(server)).map(keyOf))
    const unknown = await unknownToBrokers(server, segments)
    const now = { offsets, segments }
    if (unknown.length > 0) {
      const before = proven.get(id)
      return before && stillShown(before, now, unknown) ? before : undefined
    }
    proven.set(id, now)
    return now
  }

  interface Look {
    readonly id: string
    readonly state: TaskState
    readonly held: Held | undefined
  }
  const lookAt = async ({ id, startingOffsets: start }: TaskReport): Promise<Look> => {
    try {
      const held = await visibleOf(id)
      return { id, held, state: { start, visible: held?.offsets, done: false } }
    } catch {
      const state = { start, visible: undefined, done: await ended(id) }
      return { id, held: undefined, state }
    }
  }

  /** A task has lost nothing of what it held: looked at now. */
  const goesOn = async (id: string, { offsets }: Held): Promise<boolean> =>
    wentOn(offsets, await offsetsOf(id, await locate(id)))
  /** The same, and brokers show it. */
  const stillHeld = async (id: string, held: Held): Promise<boolean> => {
    const unknown = locate(id).then((server) => unknownToBrokers(server, held.segments))
    const [isGoing, { length }] = await Promise.all([goesOn(id, held), unknown])
    return isGoing && length === 0
  }

  const peeks = createPeeks(parts.reader)
  const unread = createUnreadWatch(parts.restart)

  /** What the last look found, and who held it: enough to see soon whether it is still so. */
  interface Proof {
    readonly begun: number
    readonly applied: number[]
    readonly looks: readonly Look[]
  }
  let proof: Proof = { begun: 0, applied: [], looks: [] }

  /** Whether all tasks of a proof pass a check; a proof without tasks proves nothing. */
  const allPass = async ({ looks }: Proof, check: typeof goesOn): Promise<boolean> => {
    if (looks.length === 0) return false
    const passed = looks.map(({ id, held }) => (held ? check(id, held) : false))
    return Promise.all(passed).then(
      (all) => all.every((one) => one),
      () => false,
    )
  }
  const holds = async (last: Proof, atLeast: readonly number[]): Promise<boolean> =>
    reaches(last.applied, atLeast) && allPass(last, stillHeld)

  /**
   * Where tasks begin, all before is published. Whoever held it may be gone: it counts from when it would be
   * missed on.
   */
  const notePublished = async (starts: readonly number[]): Promise<void> => {
    const isNews = starts.some((start, partition) => start > (published[partition] ?? 0))
    if (!isNews || performance.now() - listedAskedAt < listedEveryMs) return
    listedAskedAt = performance.now()
    if (!(await isListed())) return
    for (const [partition, start] of starts.entries()) {
      published[partition] = Math.max(published[partition] ?? 0, start)
    }
  }

  const appliedNow = async (): Promise<number[]> => {
    const begun = performance.now()
    const { activeTasks, publishingTasks } = await status()
    const reports = [...publishingTasks, ...activeTasks]
    const known = new Set(reports.map(({ id }) => id))
    for (const id of [...locations.keys(), ...proven.keys()]) {
      if (known.has(id)) continue
      locations.delete(id)
      proven.delete(id)
    }
    const looks = await Promise.all(reports.map(lookAt))
    const tasks = looks.map(({ state }) => state)
    const starts = published.map((before, partition) => {
      const mine = tasks.flatMap(({ start }) => start[partition] ?? [])
      return mine.length > 0 ? Math.min(...mine) : before
    })
    await notePublished(starts)
    const applied = published.map((before, partition) =>
      (starts[partition] ?? 0) > before ? before : (appliedOf(partition, tasks) ?? before),
    )
    const isBack = (offset: number, partition: number) => offset < (furthest[partition] ?? 0)
    regressed = applied.some(isBack)
    for (const [partition, offset] of applied.entries()) {
      furthest[partition] = Math.max(furthest[partition] ?? 0, offset)
    }
    const ends = await parts.endOffsets()
    // Partitions that were added count from the next look on; until then nothing of them is applied.
    while (published.length < ends.length) published.push(0)
    unread.look(ends.length, tasks)
    const told = applied.map((offset, partition) =>
      // What it showed before and lost is no marker, even where the log has it no more.
      isBack(offset, partition) ? offset : peeks.past(partition, offset, ends[partition] ?? 0),
    )
    if (begun > proof.begun) proof = { begun, applied: told, looks }
    return told
  }

  return {
    status,
    /** Queries show less than they did: a task died with what it had not published. */
    regressed: () => regressed,
    /**
     * For a query that begins now: what was proven last, if its answer was made from all of that.
     * @returns given what the answer was made from, offsets below which it has everything; or undefined
     */
    witness() {
      const last = proof
      const isFresh = performance.now() - last.begun < lookAgeMs
      const going = isFresh ? true : allPass(last, goesOn)
      return async (within: Interval, read: readonly ReadSegment[]) => {
        const keys = new Set(read.filter(({ view }) => view === 'speed').map(keyOfRead))
        const held = last.looks.flatMap((look) => look.held ?? [])
        return wasRead(held, within, keys) && (await going) ? last.applied : undefined
      }
    },
    /** @param atLeast - see OlapStore.realtime */
    async applied(atLeast?: readonly number[]): Promise<number[]> {
      const last = proof
      return atLeast && (await holds(last, atLeast)) ? last.applied : appliedNow()
    },
    close: () => Promise.all([peeks.close(), unread.close()]).then(() => {}),
  }
}
