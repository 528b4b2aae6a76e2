// Whether Druid shows everything it has published. A query over a segment that no server serves
// just leaves it out: so before and after each query the broker is asked for such segments.
import { overlaps } from '#core/grain.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { DruidClient, SqlValue } from './druid-http.ts'
import type { ViewRanges } from './druid-query.ts'
import { type DruidNames, type View, views } from './druid-specs.ts'

/** A look that is older does not vouch for what a query sees. */
const lookAgeMs = 250
const missingMax = 10_000

/** A segment that is published, in force, and served by nobody. */
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

/** What a broker sees served in these intervals. @param server - a broker; '' is the router */
export async function servedSegments(
  client: DruidClient,
  dataSource: string,
  intervals: readonly string[],
  server = '',
): Promise<readonly ServedSegment[]> {
  const path = `/druid/v2/datasources/${dataSource}/candidates?intervals=${encodeURIComponent(intervals.join(','))}`
  const answer = await client.ask({ path, ...(server ? { server } : {}) })
  return answer as readonly ServedSegment[]
}

const textList = (texts: readonly string[]) =>
  texts.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')

const keyOf = (row: readonly SqlValue[]) => row.slice(0, 3).join(' ')

/**
 * Intervals of which nothing whole is served. While an hour is being replaced its new segments are
 * not there yet, and the old ones, which are whole, answer for it.
 * @param rows - dataSource, start, end, version, segments, available segments
 */
export function missingIntervals(rows: readonly (readonly SqlValue[])[]): MissingSegment[] {
  const whole = new Set(rows.filter((r) => r[4] === r[5]).map(keyOf))
  return [...Map.groupBy(rows, keyOf)]
    .filter(([key]) => !whole.has(key))
    .flatMap(([, [row]]) => (row ? [toMissing(row)] : []))
}

const toMissing = ([dataSource, start, end]: readonly SqlValue[]): MissingSegment => ({
  dataSource: String(dataSource),
  start: Date.parse(String(start)),
  end: Date.parse(String(end)),
})

/** Looks for missing segments, on one broker. */
async function findMissing(
  client: DruidClient,
  names: DruidNames,
  server: string,
): Promise<MissingSegment[]> {
  const { speed } = names
  const from = (some: readonly View[], where: string) =>
    `FROM sys.segments WHERE datasource IN (${textList(some.map((view) => names[view]))}) AND ${where}`
  const at = server ? { server } : {}
  const lost = await client.sql(
    `SELECT datasource, "start", "end" ${from(views, 'is_active = 1 AND is_available = 0')} LIMIT ${missingMax}`,
    at,
  )
  if (lost.length === 0) return []
  const speedLost = lost.filter(([dataSource]) => dataSource === speed).map(toMissing)
  const keys = new Set(lost.filter(([dataSource]) => dataSource !== speed).map(keyOf))
  if (keys.size === 0) return speedLost
  const versions = await client.sql(
    `SELECT datasource, "start", "end", version, COUNT(*), SUM(is_available)
     ${from(['batch', 'hour', 'day'], `"start" IN (${textList([...new Set(lost.map((r) => String(r[1])))])})`)}
     GROUP BY 1, 2, 3, 4`,
    at,
  )
  return [...speedLost, ...missingIntervals(versions.filter((row) => keys.has(keyOf(row))))]
}

export interface SegmentWatch {
  /** Missing segments now, on whichever broker knows least. */
  missing(): Promise<readonly MissingSegment[]>
  /**
   * Runs a query and vouches for its answer: nothing was missing in these ranges before or after.
   * @throws ClickledgerError `unavailable` where something was
   */
  vouchFor<T>(ranges: ViewRanges, query: () => Promise<T>): Promise<T>
}

export function watchSegments(
  client: DruidClient,
  names: DruidNames,
  brokers: () => Promise<readonly string[]>,
): SegmentWatch {
  let last: { at: number; missing: readonly MissingSegment[] } | undefined
  let running: { begun: number; look: Promise<readonly MissingSegment[]> } | undefined

  const look = async (): Promise<readonly MissingSegment[]> => {
    const found = await Promise.all(
      (await brokers()).map((broker) => findMissing(client, names, broker)),
    )
    const missing = found.flat()
    last = { at: performance.now(), missing }
    return missing
  }
  /** A look that began at or after `since`; questions at the same time share one. */
  const lookSince = async (since: number): Promise<readonly MissingSegment[]> => {
    if (running && running.begun < since) await running.look.catch(() => {})
    if (!running || running.begun < since) {
      const begun = performance.now()
      const mine = {
        begun,
        look: look().finally(() => {
          if (running === mine) running = undefined
        }),
      }
      running = mine
    }
    return running.look
  }

  const refuseMissing = (missing: readonly MissingSegment[], ranges: ViewRanges) => {
    for (const { dataSource, start, end } of missing) {
      const view = views.find((one) => names[one] === dataSource) ?? 'speed'
      if (ranges.get(view)?.some((range) => overlaps(range, { start, end }))) {
        throw new ClickledgerError(
          'unavailable',
          `Druid has not loaded all of ${dataSource} at ${new Date(start).toISOString()}: an answer would miss clicks.`,
        )
      }
    }
  }

  return {
    missing: () => lookSince(performance.now()),
    async vouchFor(ranges, query) {
      const before =
        last && performance.now() - last.at < lookAgeMs
          ? last.missing
          : await lookSince(performance.now())
      refuseMissing(before, ranges)
      const answer = await query()
      refuseMissing(await lookSince(performance.now()), ranges)
      return answer
    },
  }
}
