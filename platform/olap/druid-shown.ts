// What Druid shows of the batch view, by grain: an hour is there when its rows say that they come from
// one run, and so do its day's. What the coordinator or a broker does not know yet is not shown.
import type { Interval } from '#core/boundary.ts'
import { type Grain, overlaps } from '#core/grain.ts'
import { dayMs, dayOf, hourMs } from '#schemas/paths.ts'
import { until } from '../wait.ts'
import type { DruidClient } from './druid-http.ts'
import { markLayer } from './druid-load-specs.ts'
import { timestampSql } from './druid-ranges.ts'
import { publishedSegments, type SegmentWatch } from './druid-segments.ts'
import { type DruidNames, grainViews, intervalOf } from './druid-specs.ts'
import type { HourLoad } from './port.ts'

const sqlTimeoutMs = 60_000
const shownTimeoutMs = 300_000

export interface ShownParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly segments: SegmentWatch
}

/** What is written beside the rows of an hour, for `mark`. */
export const markOf = ({ hour, run, files }: HourLoad): string => JSON.stringify([hour, run, files])

function parseMark(text: string): HourLoad {
  const [hour, run, files] = JSON.parse(text) as [number, string, string[]]
  return { hour, run, files }
}

/** The row of a grain that an hour is part of. */
const rowOf = (grain: Grain, hour: number): Interval =>
  grain === 'day'
    ? { start: dayOf(hour), end: dayOf(hour) + dayMs }
    : { start: hour, end: hour + hourMs }

const around = (ranges: readonly Interval[]): Interval => ({
  start: Math.min(...ranges.map(({ start }) => start)),
  end: Math.max(...ranges.map(({ end }) => end)),
})

export function createShown({ client, names, segments }: ShownParts) {
  /** What the hours of a range say that they were loaded from; while one is replaced, perhaps twice. */
  const marks = async (grain: 'hour' | 'day', { start, end }: Interval): Promise<HourLoad[]> => {
    const rows = await client.sql(
      `SELECT mark FROM "${names[grain]}" WHERE __time >= ${timestampSql(start)}
         AND __time < ${timestampSql(end)} AND layer = '${markLayer}' GROUP BY 1`,
      { timeoutMs: sqlTimeoutMs },
    )
    return rows.map(([mark]) => parseMark(String(mark)))
  }

  /** Runs of the minutes of each hour. */
  const minuteRuns = async ({ start, end }: Interval) => {
    const rows = await client.sql(
      `SELECT TIME_FLOOR(__time, 'PT1H') AS h, run, COUNT(*) FROM "${names.batch}"
       WHERE __time >= ${timestampSql(start)} AND __time < ${timestampSql(end)} GROUP BY 1, 2`,
      { timeoutMs: sqlTimeoutMs },
    )
    return rows.map(([time, run]) => ({ hour: Date.parse(String(time)), run: String(run) }))
  }

  /** The coordinator's word on a range, its knowledge refreshed first. */
  const isLoaded = async (dataSource: string, { start, end }: Interval): Promise<boolean> => {
    const interval = encodeURIComponent(intervalOf(start, end))
    const answer = await client.askAgain({
      path: `/druid/coordinator/v1/datasources/${dataSource}/loadstatus?forceMetadataRefresh=true&interval=${interval}`,
      timeoutMs: 60_000,
    })
    // A range without segments is answered in words.
    return typeof answer !== 'object' || answer === null
      ? true
      : Object.values(answer).every((percent) => percent === 100)
  }

  /** What is not whole in a range; undefined: not certain yet. */
  const missingIn = async (grain: Grain, range: Interval): Promise<Interval[] | undefined> => {
    const view = grainViews[grain]
    const dataSource = names[view]
    // Listed first: what was looked for below is then all of it.
    const complete = (await isLoaded(dataSource, range)) && (await segments.isListed(view, range))
    const missing = (await segments.missing()).filter(
      (segment) => segment.dataSource === dataSource && overlaps(segment, range),
    )
    // The coordinator knows of something that the brokers do not, or nobody would miss it yet.
    return complete || missing.length > 0 ? missing : undefined
  }

  /** Those of the loads that queries see in one grain. */
  const loadedIn = async (grain: Grain, loads: readonly HourLoad[]): Promise<HourLoad[]> => {
    if (loads.length === 0) return []
    const range = around(loads.map(({ hour }) => rowOf(grain, hour)))
    const missing = await missingIn(grain, range)
    if (!missing) return []
    const shown = grain === 'minute' ? await minuteRuns(range) : await marks(grain, range)
    const runs = Map.groupBy(shown, ({ hour }) => hour)
    return loads.filter(({ hour, run }) => {
      const [first, ...others] = runs.get(hour) ?? []
      if (missing.some((gone) => overlaps(gone, rowOf(grain, hour)))) return false
      return first?.run === run && others.length === 0
    })
  }

  /** Hours that are published, shown or not: what a task that reads them finds. */
  const publishedHours = async (range: Interval): Promise<Set<number>> => {
    const asked = [intervalOf(range.start, range.end)]
    const published = await publishedSegments(client, names.hour, asked)
    return new Set(published.map(({ start }) => start))
  }

  return {
    loadedIn,
    /**
     * Loads of hours that the days were made of and that were dropped since: without them a day
     * cannot be made again.
     */
    async droppedHours(days: readonly number[]): Promise<HourLoad[]> {
      const dropped: HourLoad[] = []
      for (const day of days) {
        const range = { start: day, end: day + dayMs }
        await until(async () => (await missingIn('day', range))?.length === 0, {
          ...{ timeoutMs: shownTimeoutMs, everyMs: 200 },
          what: `Druid shows the day ${new Date(day).toISOString().slice(0, 10)}`,
        })
        // Not what is shown: an hour that was just dropped still is, and one just loaded is not yet.
        const published = await publishedHours(range)
        dropped.push(...(await marks('day', range)).filter(({ hour }) => !published.has(hour)))
      }
      return dropped
    },
  }
}

export type Shown = ReturnType<typeof createShown>
