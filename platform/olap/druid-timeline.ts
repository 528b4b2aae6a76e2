// Druid's timeline: segments of different lengths may lie over each other, and at each instant those of
// the newest version that is there are in force.
import type { Interval } from '#core/boundary.ts'

export interface Versioned extends Interval {
  readonly version: string
}

/** A stretch of time, and the segments that are in force in all of it. */
export interface Piece<S extends Versioned> extends Interval {
  readonly segments: readonly S[]
}

/** Segments that lie over each other, or over those that do. */
function* clusters<S extends Versioned>(segments: readonly S[]): Generator<S[]> {
  let cluster: S[] = []
  let end = Number.NEGATIVE_INFINITY
  for (const segment of segments.toSorted((a, b) => a.start - b.start)) {
    if (segment.start >= end && cluster.length > 0) {
      yield cluster
      cluster = []
    }
    cluster.push(segment)
    end = Math.max(end, segment.end)
  }
  if (cluster.length > 0) yield cluster
}

/** The ends of all of these, and with each the next one. */
function stretches(intervals: readonly Interval[]): Interval[] {
  const cuts = [...new Set(intervals.flatMap(({ start, end }) => [start, end]))].sort(
    (a, b) => a - b,
  )
  return cuts.slice(1).map((end, i) => ({ start: cuts[i] ?? end, end }))
}

const covers = (outer: Interval, inner: Interval): boolean =>
  outer.start <= inner.start && outer.end >= inner.end

function newest<S extends Versioned>(segments: readonly S[]): S[] {
  const version = segments
    .map((one) => one.version)
    .sort()
    .at(-1)
  return segments.filter((one) => one.version === version)
}

/** What is in force, in order; time that no segment covers is in no piece. */
export function piecesOf<S extends Versioned>(segments: readonly S[]): Piece<S>[] {
  return [...clusters(segments)].flatMap((cluster) =>
    stretches(cluster).flatMap(({ start, end }) => {
      const here = newest(cluster.filter((segment) => covers(segment, { start, end })))
      return here.length > 0 ? [{ start, end, segments: here }] : []
    }),
  )
}

/** What somebody shows of a segment: of one that lies under a newer one, a part. */
export interface Shown extends Versioned {
  readonly partition: number
}

/**
 * Stretches of which nothing whole is shown. While something is being replaced its new segments are not
 * there yet, and the old ones answer for it: a broker asks for a version only where it is whole.
 * Segments that were appended have no such tie; each must be there.
 * @param shown - by whom the query would be answered; of a stretch, segments of one version
 */
export function missingStretches(
  pieces: readonly Piece<Shown>[],
  shown: readonly Shown[],
): Interval[] {
  const alike = Map.groupBy(shown, ({ start, end }) => `${start} ${end}`)
  return pieces.flatMap((piece) => {
    const { start, end, segments } = piece
    const isWhole = (here: readonly Shown[]) =>
      segments.every(({ version, partition }) =>
        here.some((one) => one.version !== version || one.partition === partition),
      )
    // Nearly always: it is shown as it was published.
    const same = alike.get(`${start} ${end}`)
    if (same) return isWhole(same) ? [] : [{ start, end }]
    const over = shown.filter((one) => one.start < end && one.end > start)
    const cut = over.map((one) => ({
      start: Math.max(one.start, start),
      end: Math.min(one.end, end),
    }))
    return stretches([piece, ...cut]).filter(
      (stretch) => !isWhole(over.filter((one) => covers(one, stretch))),
    )
  })
}
