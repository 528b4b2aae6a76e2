// Minute aggregates, naively: the meaning that both OLAP views and the batch layer's SQL are
// tested against, and the SQL expressions that say the same.
import { type DimensionName, dimensionNames } from '#schemas/dimensions.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { type SumMetricName, sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'
import { minuteMs } from '#schemas/paths.ts'
import type { Status } from '#schemas/verdicts.ts'

type Counted = Pick<JudgedClick, DimensionName | 'event_time' | 'visitor' | 'ip_hash'>

export interface MinuteAggregate {
  readonly minute: number
  readonly dimensions: Readonly<Record<DimensionName, string>>
  readonly counts: Record<SumMetricName, number>
  readonly visitors: Set<string>
  readonly ipHashes: Set<string>
}

/** Start of the minute that holds `time` (ms). */
export const minuteOf = (time: number): number => Math.floor(time / minuteMs) * minuteMs

/** Aggregates judged clicks (copies already collapsed) by minute and all dimensions. */
export function aggregateByMinute(
  clicks: Iterable<{ click: Counted; status: Status }>,
): MinuteAggregate[] {
  const groups = new Map<string, MinuteAggregate>()
  for (const { click, status } of clicks) {
    const minute = minuteOf(click.event_time)
    const key = [minute, ...dimensionNames.map((name) => click[name])].join('\u0000')
    let group = groups.get(key)
    if (!group) {
      group = emptyAggregate(minute, click)
      groups.set(key, group)
    }
    for (const metric of sumMetrics) {
      if ((metric.countedStatus as readonly Status[]).includes(status)) group.counts[metric.name]++
    }
    if (status !== 'valid') continue
    if (click.visitor !== '') group.visitors.add(click.visitor)
    if (click.ip_hash !== '') group.ipHashes.add(click.ip_hash)
  }
  return [...groups.values()]
}

function emptyAggregate(minute: number, click: Counted): MinuteAggregate {
  return {
    minute,
    dimensions: Object.fromEntries(dimensionNames.map((name) => [name, click[name]])) as Record<
      DimensionName,
      string
    >,
    counts: Object.fromEntries(sumMetrics.map((m) => [m.name, 0])) as Record<SumMetricName, number>,
    visitors: new Set(),
    ipHashes: new Set(),
  }
}

/** SQL: one column for each sum, over rows with a `status` column. */
export const sumColumnsSql = sumMetrics
  .map((m) => {
    const list = m.countedStatus.map((status) => `'${status}'`).join(', ')
    return `CAST(sum(CASE WHEN status IN (${list}) THEN 1 ELSE 0 END) AS BIGINT) AS ${m.name}`
  })
  .join(', ')

/** SQL: one list column for each unique metric: its members among valid clicks; none: null, in Spark an empty list. */
export const memberColumnsSql = uniqueMetrics
  .map(
    (m) => `array_agg(${m.of}) FILTER (WHERE status = 'valid' AND ${m.of} <> '') AS ${m.members}`,
  )
  .join(', ')

/** SQL: from rows with event_time, dimensions and status to aggregate rows. Ends before FROM. */
export const aggregateSelectSql = `SELECT event_time - event_time % ${minuteMs} AS minute, ${dimensionNames.join(', ')}, ${sumColumnsSql}, ${memberColumnsSql}`

/** SQL: what to group by beside the select above. */
export const aggregateGroupSql = `GROUP BY event_time - event_time % ${minuteMs}, ${dimensionNames.join(', ')}`

/** Columns of a table of minute aggregates, in the order of the select above. */
export const aggregateColumns: readonly { readonly name: string; readonly sqlType: string }[] = [
  { name: 'minute', sqlType: 'BIGINT' },
  ...dimensionNames.map((name) => ({ name, sqlType: "VARCHAR DEFAULT ''" })),
  ...sumMetrics.map(({ name }) => ({ name, sqlType: 'BIGINT' })),
  ...uniqueMetrics.map(({ members }) => ({ name: members, sqlType: 'VARCHAR[]' })),
]
