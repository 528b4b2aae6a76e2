// An OLAP store for tests, in memory and by the letter: keeps judged clicks of both views and
// counts them afresh for every query.

import { bucketStart } from '#core/buckets.ts'
import { planGrains } from '#core/grain.ts'
import { minuteOf } from '#core/minute-aggregates.ts'
import { comparePositions, positionOf, totalOrder } from '#core/report-order.ts'
import type { Filter, ReportQuery, ReportRow } from '#core/report-query.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import type { DimensionName } from '#schemas/dimensions.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type MetricName, metricByName } from '#schemas/metrics.ts'
import type { Status } from '#schemas/verdicts.ts'

export interface NaiveClick extends Partial<Record<DimensionName, string>> {
  readonly event_time: number
  readonly status: Status
  readonly visitor?: string
  readonly ip_hash?: string
}

const matches = (click: NaiveClick, { dimension, kind, values }: Filter) => {
  const value = click[dimension] ?? ''
  if (kind === 'prefix') return values.some((prefix) => value.startsWith(prefix))
  return values.includes(value) === (kind === 'in')
}

function count(name: MetricName, clicks: readonly NaiveClick[]): number {
  const metric = metricByName(name)
  if (metric.kind === 'sum') {
    return clicks.filter((c) => (metric.countedStatus as readonly Status[]).includes(c.status))
      .length
  }
  const members = clicks.filter((c) => c.status === 'valid').map((c) => c[metric.of] ?? '')
  return new Set(members.filter((member) => member !== '')).size
}

export interface NaiveOlap extends Pick<OlapStore, 'query' | 'sql' | 'realtime' | 'health'> {
  readonly batch: NaiveClick[]
  readonly speed: NaiveClick[]
  readonly queries: ReportQuery[]
  applied: number[]
  /** Fails or delays queries when set. */
  before: (() => Promise<void>) | undefined
}

export function createNaiveOlap(): NaiveOlap {
  const olap: NaiveOlap = {
    batch: [],
    speed: [],
    queries: [],
    applied: [0],
    before: undefined,
    realtime: async () => ({ applied: olap.applied }),
    health: async () => ({ problems: [], lagRecords: 0, unavailableSegments: 0 }),
    sql: async () => {
      throw new ClickledgerError('unavailable', 'a naive store knows no SQL')
    },
    async query(query) {
      olap.queries.push(query)
      await olap.before?.()
      planGrains(query) // refuses what every store refuses
      const { start, end, boundary, granularity, timeZone, dimensions, metrics, after } = query
      const { arriving = [] } = query
      const within = (click: NaiveClick, from: number, to: number) =>
        minuteOf(click.event_time) >= from && minuteOf(click.event_time) < to
      const clicks = [
        ...olap.batch
          .filter((c) => within(c, start, Math.min(end, boundary)))
          .filter((c) => !arriving.some((hours) => within(c, hours.start, hours.end))),
        ...olap.speed.filter((c) => within(c, Math.max(start, boundary), end)),
      ].filter((click) => query.filters.every((filter) => matches(click, filter)))
      const groups = Map.groupBy(clicks, (click) => {
        const minute = minuteOf(click.event_time)
        const time = granularity === 'all' ? start : bucketStart(minute, granularity, timeZone)
        return JSON.stringify([time, ...dimensions.map((name) => click[name] ?? '')])
      })
      const rows: ReportRow[] = [...groups].map(([key, group]) => {
        const [time, ...values] = JSON.parse(key)
        return {
          time,
          dimensions: Object.fromEntries(dimensions.map((name, i) => [name, values[i]])),
          metrics: Object.fromEntries(metrics.map((name) => [name, count(name, group)])),
        }
      })
      const order = totalOrder(query)
      const ordered = rows
        .map((row) => ({ row, at: positionOf(order, row) }))
        .sort((a, b) => comparePositions(order, a.at, b.at))
      const rest = after
        ? ordered.filter(({ at }) => comparePositions(order, at, after) > 0)
        : ordered
      return rest.slice(0, query.limit).map(({ row }) => row)
    },
  }
  return olap
}
