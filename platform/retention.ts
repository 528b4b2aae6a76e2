// Which days the batch view no longer holds by minute or by hour. A day is recorded here first and
// dropped later, so that no query that was asked before misses rows. What is recorded stays so: rows
// that a rebuild brings back would be some of the day's only.
import { rangesOfDays } from '#core/grain.ts'
import type { Dropped } from '#core/report-query.ts'
import { dayMs, dayOf } from '#schemas/paths.ts'
import type { Queryable } from './catalogue/port.ts'
import type { OlapStore } from './olap/port.ts'

/** Longer than any query takes, and than serving goes on with what it remembers of the catalogue. */
const dropDelayMs = 3_600_000

const grains = ['minute', 'hour'] as const

interface Row {
  readonly grain: (typeof grains)[number]
  readonly day: number
}

const toDropped = (rows: readonly Row[]): Dropped => {
  const of = (grain: Row['grain']) =>
    rangesOfDays(rows.filter((row) => row.grain === grain).map((row) => Number(row.day)))
  return { minute: of('minute'), hour: of('hour') }
}

/** What was dropped of [start, end). */
export async function readDropped(
  catalogue: Queryable,
  start: number,
  end: number,
): Promise<Dropped> {
  return toDropped(
    await catalogue.query<Row & Record<string, unknown>>(
      'SELECT grain, day FROM dropped_days WHERE day >= $1 AND day < $2 ORDER BY day',
      [dayOf(start), end],
    ),
  )
}

export interface Retention {
  readonly minuteMs: number
  readonly hourMs: number
}

export interface RetentionParts {
  readonly catalogue: Queryable
  readonly olap: Pick<OlapStore, 'dropBatch'>
  readonly retention: Retention
  readonly now: () => number
}

/** Records days that are over, below the boundary, and published for long enough: all of their hours. */
async function recordDays(parts: RetentionParts, boundary: number): Promise<void> {
  const { catalogue, retention, now } = parts
  const keptMs = {
    minute: retention.minuteMs,
    hour: Math.max(retention.hourMs, retention.minuteMs),
  }
  for (const grain of grains) {
    // An import is published long after the boundary has passed its hours.
    await catalogue.query(
      `INSERT INTO dropped_days (grain, day, recorded_at)
       SELECT CAST($1 AS TEXT), hour - hour % ${dayMs}, CAST($2 AS BIGINT) FROM published_hours WHERE hour < $3
       GROUP BY hour - hour % ${dayMs} HAVING max(published_at) <= $4
       ON CONFLICT (grain, day) DO NOTHING`,
      [grain, now(), dayOf(boundary - keptMs[grain]), now() - keptMs[grain]],
    )
  }
}

/** Days that wait to be dropped, and those that a rebuild has brought back since. */
async function dropDays({ catalogue, olap, now }: RetentionParts): Promise<void> {
  const begun = now()
  const rows = await catalogue.query<Row & Record<string, unknown>>(
    `SELECT grain, day FROM dropped_days d WHERE recorded_at <= $1 AND (dropped_at IS NULL
       OR dropped_at <= (SELECT max(published_at) FROM published_hours
         WHERE hour >= d.day AND hour < d.day + ${dayMs}))
     ORDER BY day`,
    [begun - dropDelayMs],
  )
  const waiting = toDropped(rows)
  for (const grain of grains) {
    for (const range of waiting[grain]) {
      await olap.dropBatch(grain, range)
      await catalogue.query(
        `UPDATE dropped_days SET dropped_at = $1
         WHERE grain = $2 AND day >= $3 AND day < $4 AND recorded_at <= $5`,
        [begun, grain, range.start, range.end, begun - dropDelayMs],
      )
    }
  }
}

/** Drops what was recorded long enough ago, and records what may go next. Repeating it is harmless. */
export async function pruneBatchView(parts: RetentionParts, boundary: number): Promise<void> {
  await dropDays(parts)
  await recordDays(parts, boundary)
}
