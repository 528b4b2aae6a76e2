// Whether Druid shows everything it has published. A query over a segment that no server serves just
// leaves it out: so what an answer says that it was made from is held against the list of what is
// published; where it says nothing, whom a broker would ask for what, before it and after it.
import type { Interval } from '#core/boundary.ts'
import { overlaps } from '#core/grain.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { createRefreshed } from '../refreshed.ts'
import type { Brokers } from './druid-brokers.ts'
import type { ReadSegment } from './druid-by-segment.ts'
import type { DruidClient, QueryOptions, SqlValue } from './druid-http.ts'
import { lookAgeMs } from './druid-proofs.ts'
import type { ViewRanges } from './druid-ranges.ts'
import { type DruidNames, intervalOf, parseInterval, type View, views } from './druid-specs.ts'
import { missingStretches, type Piece, piecesOf, type Shown } from './druid-timeline.ts'

/**
 * Ages of the list of published segments. Nobody is told of what is new before it is listed, and before a query
 * is refused the list is read again, so it need not be of this moment.
 */
const listAge = { freshMs: 1_000, givenMs: 2_000 }

const looksMax = 500

const clip = ({ start, end }: Interval, within: Interval): Interval => ({
  start: Math.max(start, within.start),
  end: Math.min(end, within.end),
})

/** As far as a year of four digits goes. */
const allTime: Interval = { start: 0, end: Date.UTC(10_000, 0, 1) - 1 }

/** An interval of which nothing whole is served. */
export interface MissingSegment {
  readonly dataSource: string
  readonly start: number
  readonly end: number // exclusive
}

/** A segment that a broker would ask somebody for. */
export interface ServedSegment {
  readonly interval: string
  readonly version: string
  readonly partitionNumber: number
  readonly locations: readonly {
    readonly host: string
    readonly hostAndTlsPort: string | null
    readonly type: string
  }[]
}

export type ServedSegments = readonly ServedSegment[]

/** What a broker sees served in these intervals. @param server - a broker; '' is the router */
export async function servedSegments(
  client: DruidClient,
  dataSource: string,
  intervals: readonly string[],
  server = '',
): Promise<ServedSegments> {
  const path = `/druid/v2/datasources/${dataSource}/candidates?intervals=${encodeURIComponent(intervals.join(','))}`
  return (await client.ask({ path, server })) as ServedSegments
}

type PublishedPiece = Piece<Shown>

const toShown = ({ interval, version, partitionNumber }: ServedSegment): Shown => ({
  ...{ ...parseInterval(interval), version, partition: partitionNumber },
})

/**
 * Segments of these intervals that are published, shown or not, as the metadata store has them: what a
 * coordinator knows, and with it `sys.segments`, is as old as its last poll, a minute by default.
 */
export async function publishedSegments(
  client: DruidClient,
  dataSource: string,
  intervals: readonly string[],
): Promise<Shown[]> {
  const path = `/druid/coordinator/v1/metadata/datasources/${dataSource}/segments?full`
  const segments = (await client.askAgain({ path, body: intervals })) as readonly {
    readonly interval: string
    readonly version: string
    readonly shardSpec: { readonly partitionNum: number }
  }[]
  return segments.map(({ interval, version, shardSpec: { partitionNum: partition } }) => ({
    ...{ ...parseInterval(interval), version, partition },
  }))
}

/** What is in force in an interval, each piece by its name. */
const inForce = (segments: readonly Shown[], within: Interval): string[] => {
  const here = segments.filter((one) => overlaps(one, within))
  return piecesOf(here.map((one) => ({ ...one, ...clip(one, within) }))).map((piece) => {
    const parts = piece.segments.map(({ version, partition }) => `${version} ${partition}`)
    return [piece.start, piece.end, ...parts.sort()].join(' ')
  })
}

/** Ranges that hold whole pieces: of one that reaches over an edge, a broker would name the part. */
const around = (ranges: readonly Interval[], pieces: readonly PublishedPiece[]): string[] =>
  ranges.flatMap((range) => {
    const touched = pieces.filter((piece) => overlaps(piece, range))
    if (touched.length === 0) return []
    const start = Math.min(...touched.map((piece) => piece.start))
    return [intervalOf(start, Math.max(...touched.map(({ end }) => end)))]
  })

export interface SegmentWatch {
  /**
   * Whether the list of published segments has all that is published there now. What it does not have is not
   * missed: until then nothing may be built on it.
   */
  isListed(view: View, within?: Interval): Promise<boolean>
  /** Missing segments now, on whichever broker knows least. */
  missing(): Promise<readonly MissingSegment[]>
  /** @throws ClickledgerError `unavailable` where this broker misses something in these ranges now */
  check(ranges: ViewRanges, broker: string): Promise<void>
  /**
   * For a query that begins now, and whose answer will name its segments.
   * @param within - the interval of the query
   * @returns checks them; throws ClickledgerError `unavailable` where something of these ranges is missing
   */
  witness(ranges: ViewRanges, within: Interval): (read: readonly ReadSegment[]) => Promise<void>
  /**
   * Runs a query and vouches for its answer: nothing was missing in these ranges as it began, nor after.
   * @param query - asks with these options; what it makes of the answer is made beside the look afterwards
   * @throws ClickledgerError `unavailable` where something was
   */
  vouchFor<T>(ranges: ViewRanges, query: (asking: Asking) => Promise<T>): Promise<T>
}

/** How a query that is vouched for is asked: of whom, and what is to be told when. */
export type Asking = Required<Pick<QueryOptions, 'server' | 'onAnswer'>>

type Published = ReadonlyMap<View, readonly PublishedPiece[]>

/** Tells what is shown of these pieces of a view. */
type Look = (
  view: View,
  pieces: readonly PublishedPiece[],
  ranges: readonly Interval[],
) => readonly Shown[] | Promise<readonly Shown[]>

export function watchSegments(
  client: DruidClient,
  names: DruidNames,
  brokers: Brokers,
): SegmentWatch {
  const readPublished = async (): Promise<Published> => {
    const rows = await client.sql(
      `SELECT datasource, "start", "end", version, partition_num FROM sys.segments
       WHERE datasource IN (${views.map((view) => `'${names[view]}'`).join(', ')})
         AND is_published = 1 AND is_overshadowed = 0`,
    )
    const segments = Map.groupBy(rows, ([dataSource]) => dataSource)
    return new Map(
      views.map((view) => [view, piecesOf((segments.get(names[view]) ?? []).map(toPublished))]),
    )
  }
  const list = createRefreshed(readPublished, listAge)

  const looks = new Map<string, { readonly at: number; readonly served: ServedSegments }>()
  /** @param ageMs - an answer may be so old */
  const servedBy = async (broker: string, view: View, intervals: string[], ageMs: number) => {
    const at = performance.now()
    const key = [broker, view, ...intervals].join(' ')
    const known = looks.get(key)
    if (known && at - known.at < ageMs) return known.served
    const served = await servedSegments(client, names[view], intervals, broker)
    if (looks.size >= looksMax) looks.clear()
    looks.set(key, { at, served })
    return served
  }

  const shownBy =
    (broker: string, ageMs = 0): Look =>
    async (view, pieces, ranges) =>
      (await servedBy(broker, view, around(ranges, pieces), ageMs)).map(toShown)

  const missingIn = async (
    published: Published,
    ranges: ViewRanges,
    shown: Look,
    within?: Interval,
  ): Promise<MissingSegment[]> => {
    const found = [...ranges].map(async ([view, some]) => {
      const touched = (published.get(view) ?? []).filter((piece) =>
        some.some((range) => overlaps(piece, range)),
      )
      if (touched.length === 0) return []
      const pieces = within
        ? touched.map((piece) => ({ ...piece, ...clip(piece, within) }))
        : touched
      const missing = missingStretches(pieces, await shown(view, pieces, some))
      const read = missing.filter((gone) => some.some((range) => overlaps(gone, range)))
      return read.map((gone) => ({ dataSource: names[view], ...gone }))
    })
    return (await Promise.all(found)).flat()
  }

  /** @param within - where pieces that reach over its edges are shown as parts */
  const check = async (ranges: ViewRanges, shown: Look, within?: Interval): Promise<void> => {
    if (ranges.size === 0) return
    const missing = await missingIn(await list.get(), ranges, shown, within)
    if (missing.length === 0) return
    // Perhaps it was dropped since the list was read. The broker is not asked again: what is back by
    // now was still missing in the query.
    const published = [...(await list.anew())].map(
      ([view, pieces]) => [names[view], pieces] as const,
    )
    const first = missing.find((gone) =>
      published.some(
        ([dataSource, pieces]) =>
          dataSource === gone.dataSource && pieces.some((piece) => overlaps(piece, gone)),
      ),
    )
    if (!first) return
    throw new ClickledgerError(
      'unavailable',
      `Druid has not loaded all of ${first.dataSource} at ${new Date(first.start).toISOString()}: an answer would miss clicks.`,
    )
  }

  return {
    check: (ranges, broker) => check(ranges, shownBy(broker)),
    witness(ranges, within) {
      list.get().catch(() => {}) // read beside the query; a failure is told to who checks
      return (read) => check(ranges, (view) => read.filter((one) => one.view === view), within)
    },
    async isListed(view, within = allTime) {
      const asked = [intervalOf(within.start, within.end)]
      const published = await publishedSegments(client, names[view], asked)
      const listed = ((await list.anew()).get(view) ?? []).flatMap(({ segments }) => segments)
      const known = new Set(inForce(listed, within))
      return inForce(published, within).every((name) => known.has(name))
    },
    async missing() {
      const everything = new Map(views.map((view) => [view, [allTime]]))
      const [published, all] = [await list.anew(), await brokers.all()]
      const found = all.map((broker) => missingIn(published, everything, shownBy(broker)))
      return (await Promise.all(found)).flat()
    },
    async vouchFor(ranges, query) {
      let broker = ''
      const looks: Promise<void>[] = []
      const look = (ageMs: number) => {
        const looking = check(ranges, shownBy(broker, ageMs))
        looking.catch(() => {}) // told below, unless the query itself fails
        looks.push(looking)
      }
      const answer = await query({
        async server() {
          broker = await brokers.next()
          look(lookAgeMs)
          return broker
        },
        onAnswer: () => look(0),
      })
      await Promise.all(looks)
      return answer
    },
  }
}

const toPublished = ([, start, end, version, partition]: readonly SqlValue[]): Shown => ({
  start: Date.parse(String(start)),
  end: Date.parse(String(end)),
  version: String(version),
  partition: Number(partition),
})
