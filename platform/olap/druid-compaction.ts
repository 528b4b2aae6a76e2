// Days that are over, joined to segments of a week. Druid groups the rows of each segment by themselves and
// then merges what it found by value, which costs a long report more than reading the rows. Of a week that
// is joined nothing is replaced: it is parted into days first. Else the week's old rows would lie under
// the day's new ones, and answer for them whenever those go out of sight.
import type { Interval } from '#core/boundary.ts'
import { bucketEnd, bucketStart } from '#core/buckets.ts'
import { overlaps } from '#core/grain.ts'
import { dayMs } from '#schemas/paths.ts'
import type { DruidClient } from './druid-http.ts'
import { dayTask, segmentRowsMax } from './druid-load-specs.ts'
import { publishedSegments } from './druid-segments.ts'
import { type DruidNames, intervalOf } from './druid-specs.ts'
import { digestOf, type Tasks } from './druid-tasks.ts'
import { type Piece, piecesOf, type Versioned } from './druid-timeline.ts'

export interface CompactionParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly tasks: Tasks
}

interface DaySegment extends Versioned {
  readonly rows: number
}

const weekOf = (time: number): Interval => {
  const start = bucketStart(time, 'week', 'UTC')
  return { start, end: bucketEnd(start, 'week', 'UTC') }
}

/**
 * The newest week before `time` that is in more pieces than one and small enough for one segment. All of its
 * days must be there: a segment published over days that nothing was known of makes these days missing
 * until it is loaded, and reports are refused so long.
 * @returns undefined: there is none
 */
export function weekToJoin(
  segments: readonly DaySegment[],
  time: number,
): { readonly week: Interval; readonly pieces: readonly Piece<DaySegment>[] } | undefined {
  const weeks = Map.groupBy(piecesOf(segments), ({ start }) => weekOf(start).start)
  for (const [start, pieces] of [...weeks].sort(([a], [b]) => b - a)) {
    const week = weekOf(start)
    const mine = new Set(pieces.flatMap((piece) => piece.segments))
    const rows = [...mine].reduce((sum, segment) => sum + segment.rows, 0)
    const isWithin = [...mine].every((one) => one.start >= week.start && one.end <= week.end)
    const isSmall = rows <= segmentRowsMax
    const covered = pieces.reduce((sum, piece) => sum + piece.end - piece.start, 0)
    const isWhole = isWithin && covered === week.end - week.start
    if (week.end <= time && pieces.length > 1 && isWhole && isSmall) return { week, pieces }
  }
  return undefined
}

/** Segments longer than a day that are in force on one of these days. */
export function joinedOver(
  segments: readonly Versioned[],
  days: readonly number[],
): readonly Versioned[] {
  const pieces = piecesOf(segments).filter((piece) =>
    days.some((day) => overlaps(piece, { start: day, end: day + dayMs })),
  )
  const inForce = new Set(pieces.flatMap((piece) => piece.segments))
  const long = [...inForce].filter(({ start, end }) => end - start > dayMs)
  // A week of many rows may have been published in parts.
  return [...new Map(long.map((one) => [one.start, one])).values()]
}

export function createCompaction({ client, names, tasks }: CompactionParts) {
  const listed = async (): Promise<DaySegment[]> => {
    const rows = await client.sql(
      `SELECT "start", "end", version, num_rows FROM sys.segments
       WHERE datasource = '${names.day}' AND is_published = 1 AND is_overshadowed = 0`,
    )
    return rows.map(([start, end, version, count]) => ({
      start: Date.parse(String(start)),
      end: Date.parse(String(end)),
      version: String(version),
      rows: Number(count),
    }))
  }

  const rewrite = (
    verb: 'join' | 'part',
    rows: Interval,
    segments: 'DAY' | 'WEEK',
    from: readonly Versioned[],
  ) =>
    tasks.run({
      name: `${verb}_${names.day}_${digestOf([rows, from.map(({ start, version }) => [start, version])])}`,
      dataSource: names.day,
      spec: (id) => dayTask(id, names, { ...rows, from: 'day', segments }),
      // Its name says what it was made from, and that is gone since.
      inForce: async () => true,
    })

  return {
    /** Joins one week before `time`. @returns whether there is another one */
    async join(time: number): Promise<boolean> {
      const segments = await listed()
      const found = weekToJoin(segments, time)
      if (!found) return false
      const { week, pieces } = found
      await rewrite(
        'join',
        week,
        'WEEK',
        pieces.flatMap((piece) => piece.segments),
      )
      const others = segments.filter((segment) => !overlaps(segment, week))
      return weekToJoin(others, time) !== undefined
    },
    /** Makes segments of a day each where these days are in longer ones, so that they can be replaced. */
    async part(days: readonly number[]): Promise<void> {
      const asked = days.map((day) => intervalOf(day, day + dayMs))
      const segments = await publishedSegments(client, names.day, asked)
      for (const { start, end, version } of joinedOver(segments, days)) {
        await rewrite('part', { start, end }, 'DAY', [{ start, end, version }])
      }
    },
  }
}

export type Compaction = ReturnType<typeof createCompaction>
