// Comparing what the platform says with the naive definition: per ad and hour, and click by click.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import type { ExecutionContext } from 'ava'
import { type JudgeableClick, judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet, type RuleSet, type Verdict } from '#core/rules/rule-set.ts'
import { jsonColumns } from '#schemas/columns.ts'
import {
  type ArchivedClick,
  archivedFields,
  type Field,
  type JudgedClick,
  judgedFields,
} from '#schemas/fields.ts'
import { hourOf } from '#schemas/paths.ts'
import { alarmingClasses, type DifferenceClass } from '#schemas/reconciliation.ts'
import { nameDifferences } from '../../batch-layer/reconcile/differences.ts'
import { scratchDir } from './contract.ts'
import { askServing } from './processes.ts'

/** `hour ad` -> counts by status, and distinct visitors of valid clicks. */
export type HourCounts = Record<string, Record<string, number>>

interface Counted {
  readonly ad_id: string
  readonly event_time: number
  readonly visitor: string
}

/** Counts per ad and hour; copies (no verdict) are left out. */
export function countByHour(
  clicks: readonly Counted[],
  verdicts: readonly (Pick<Verdict, 'status'> | undefined)[],
): HourCounts {
  const counts: HourCounts = {}
  const visitors = new Map<string, Set<string>>()
  clicks.forEach(({ ad_id, event_time, visitor }, i) => {
    const status = verdicts[i]?.status
    if (!status) return
    const key = `${new Date(hourOf(event_time)).toISOString()} ${ad_id}`
    counts[key] ??= { gross: 0, valid: 0, duplicate: 0, invalid: 0, visitors: 0 }
    const row = counts[key]
    row.gross = (row.gross ?? 0) + 1
    row[status] = (row[status] ?? 0) + 1
    if (status !== 'valid' || visitor === '') return
    const seen = visitors.get(key) ?? new Set()
    visitors.set(key, seen.add(visitor))
    row.visitors = seen.size
  })
  return counts
}

/** `hour` -> counts by status, as the naive definition has them. */
export function naiveTotals(
  clicks: readonly (JudgeableClick & Counted)[],
  ruleSet: RuleSet = defaultRuleSet,
): HourCounts {
  const totals: HourCounts = {}
  const byAd = countByHour(clicks, judgeNaively(ruleSet, clicks))
  for (const [key, { gross = 0, valid = 0, duplicate = 0, invalid = 0 }] of Object.entries(byAd)) {
    const [hour = ''] = key.split(' ')
    const sum = totals[hour]
    totals[hour] = {
      gross: (sum?.gross ?? 0) + gross,
      valid: (sum?.valid ?? 0) + valid,
      duplicate: (sum?.duplicate ?? 0) + duplicate,
      invalid: (sum?.invalid ?? 0) + invalid,
    }
  }
  return totals
}

/** Counts are equal; distinct visitors too, but for the error that a sketch may have. */
export function checkCounts(
  t: ExecutionContext,
  got: HourCounts,
  expected: HourCounts,
  uniquesError: number,
): void {
  const near = (visitors: number, right: number) =>
    Math.abs(visitors - right) <= right * uniquesError
  const forgiven = Object.entries(got).map(([key, row]) => {
    const right = expected[key]?.visitors
    const isNear = right !== undefined && near(row.visitors ?? 0, right)
    return [key, isNear ? { ...row, visitors: right } : row]
  })
  t.deepEqual(Object.fromEntries(forgiven), expected)
}

interface ReportPage {
  readonly meta: { readonly next: string | null }
  readonly data: readonly Record<string, string & number>[]
}

/** Counts per ad and hour, as a report answers them. */
export async function reportByHour(
  servingUrl: string,
  key: string,
  range: { start: number; end: number },
  completeness: 'final' | 'latest' = 'latest',
): Promise<HourCounts> {
  const counts: HourCounts = {}
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({
      start_time: new Date(range.start).toISOString(),
      end_time: new Date(range.end).toISOString(),
      ...{ granularity: 'hour', dimensions: 'ad_id', limit: '20000', completeness },
      metrics:
        'gross_click_count,click_count,duplicate_click_count,fraudulent_click_count,unique_user_count',
      ...(cursor ? { cursor } : {}),
    })
    const path = `/v1/reports/clicks/timeseries?${query}`
    const { meta, data }: ReportPage = await askServing(servingUrl, key, path)
    for (const row of data) {
      counts[`${row.time} ${row.ad_id}`] = {
        gross: Number(row.gross_click_count),
        valid: Number(row.click_count),
        duplicate: Number(row.duplicate_click_count),
        invalid: Number(row.fraudulent_click_count),
        visitors: Number(row.unique_user_count),
      }
    }
    cursor = meta.next
  } while (cursor)
  return counts
}

/** A relation of rows that are at hand, as a table. */
async function tableOf(
  connection: DuckDBConnection,
  name: string,
  fields: readonly Field[],
  rows: readonly object[],
  dir: string,
): Promise<void> {
  const path = join(dir, `${name}.jsonl`)
  writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  const source = `read_json('${path}', format = 'newline_delimited', columns = ${jsonColumns(fields)})`
  await connection.run(`CREATE TABLE ${name} AS SELECT * FROM ${source}`)
}

const verdictFields: readonly Field[] = [
  ...archivedFields,
  { name: 'status', type: 'string', doc: '' },
  { name: 'rule', type: 'string', doc: '' },
]

/**
 * Names each difference between the speed layer's verdicts and the naive ones of batch.
 * @param clicks - with raw_partition and raw_offset as in the log
 * @param historyMs - what the speed layer remembers
 */
export async function speedDifferences(
  t: ExecutionContext,
  clicks: readonly ArchivedClick[],
  judged: readonly JudgedClick[],
  historyMs: number,
): Promise<Partial<Record<DifferenceClass, number>>> {
  const naive = judgeNaively(defaultRuleSet, clicks)
  const batch = clicks.map((click, i) => ({
    ...click,
    ...(naive[i] ?? { status: 'copy', rule: 'copy' }),
  }))
  const dir = scratchDir(t)
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  try {
    await tableOf(connection, 'batch', verdictFields, batch, dir)
    await tableOf(connection, 'judged', judgedFields, judged, dir)
    await connection.run('CREATE VIEW clicks AS SELECT * FROM batch')
    await connection.run('CREATE VIEW later AS SELECT * FROM batch WHERE false')
    await connection.run('CREATE VIEW judged_around AS SELECT * FROM judged')
    await nameDifferences(connection, {
      ...{ ruleSet: defaultRuleSet, historyMs, heldSince: 0, ends: [] },
      lookAround: async () => {},
    })
    const found = await connection.runAndReadAll(
      'SELECT class, CAST(count(*) AS DOUBLE) FROM differences GROUP BY class ORDER BY class',
    )
    return Object.fromEntries(found.getRows())
  } finally {
    connection.closeSync()
    db.closeSync()
  }
}

/** Every click was judged once, and where speed and batch differ there is a name for it. */
export async function checkSpeedVerdicts(
  t: ExecutionContext,
  clicks: readonly ArchivedClick[],
  judged: readonly JudgedClick[],
  historyMs: number,
): Promise<void> {
  const speed = new Map(judged.map((click) => [click.event_id, click]))
  t.is(speed.size, judged.length, 'each click is judged once')
  t.is(judged.length, clicks.length)
  const located = clicks.map((click) => {
    const said = speed.get(click.event_id)
    return {
      ...click,
      advertiser_id: said?.advertiser_id ?? click.advertiser_id,
      received_time: said?.received_time ?? 0,
      raw_partition: said?.raw_partition ?? -1,
      raw_offset: said?.raw_offset ?? -1,
    }
  })
  const differences = await speedDifferences(t, located, judged, historyMs)
  t.log(`${clicks.length} clicks; speed differs from batch: ${JSON.stringify(differences)}`)
  for (const name of alarmingClasses) t.is(differences[name] ?? 0, 0, name)
}
