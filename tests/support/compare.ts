// Comparing what the platform says with the naive definition: per ad and hour, and click by click.

import type { ExecutionContext } from 'ava'
import { type JudgeableClick, judgeNaively, keyOf } from '#core/rules/naive.ts'
import { defaultRuleSet, isRepeat, type RuleSet, type Verdict } from '#core/rules/rule-set.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { hourOf } from '#schemas/paths.ts'

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
    const answer = await fetch(`${servingUrl}/v1/reports/clicks/timeseries?${query}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const body = (await answer.json()) as {
      detail?: string
      meta: { next: string | null }
      data: Record<string, string & number>[]
    }
    if (!answer.ok) throw new Error(body.detail)
    for (const row of body.data) {
      counts[`${row.time} ${row.ad_id}`] = {
        gross: Number(row.gross_click_count),
        valid: Number(row.click_count),
        duplicate: Number(row.duplicate_click_count),
        invalid: Number(row.fraudulent_click_count),
        visitors: Number(row.unique_user_count),
      }
    }
    cursor = body.meta.next
  } while (cursor)
  return counts
}

/** Why the speed layer may judge otherwise than batch does. */
type Difference = 'other-partition' | 'late' | 'wider-window' | 'unexplained'

/**
 * Names each difference between speed verdicts and the naive ones.
 * @param clicks - with raw_partition and raw_offset as in the log
 * @param historyMs - what the speed layer remembers
 */
function explainDifferences(
  clicks: readonly JudgeableClick[],
  speed: ReadonlyMap<string, Pick<JudgedClick, 'status' | 'rule'>>,
  historyMs: number,
): Record<Difference, number> {
  const found: Record<Difference, number> = {
    'other-partition': 0,
    late: 0,
    'wider-window': 0,
    unexplained: 0,
  }
  const naive = judgeNaively(defaultRuleSet, clicks)
  const rules = defaultRuleSet.rules.filter(isRepeat)
  const sharing = rules.map((rule) => Map.groupBy(clicks, (click) => keyOf(rule, click) ?? ''))
  clicks.forEach((click, i) => {
    const said = speed.get(click.event_id)
    const right = naive[i]
    if (said?.status === right?.status && said?.rule === right?.rule) return
    const reasons = new Set<Difference>()
    for (const [r, rule] of rules.entries()) {
      const key = keyOf(rule, click)
      if (key === undefined) continue
      for (const other of sharing[r]?.get(key) ?? []) {
        const apart = Math.abs(other.event_time - click.event_time)
        if (other === click || apart >= rule.windowMs) continue
        if (other.raw_partition !== click.raw_partition) reasons.add('other-partition')
        else if (isOutOfOrder(click, other)) reasons.add('late')
        else if (apart >= historyMs) reasons.add('wider-window')
      }
    }
    const [reason = 'unexplained'] = reasons
    found[reason]++
  })
  return found
}

/** The log has two clicks the other way round than time has (or than ids have, at the same instant). */
function isOutOfOrder(a: JudgeableClick, b: JudgeableClick): boolean {
  const byTime = a.event_time - b.event_time || (a.event_id < b.event_id ? -1 : 1)
  return byTime < 0 !== a.raw_offset < b.raw_offset
}

/** Every click was judged once, and where speed and batch differ there is a name for it. */
export function checkSpeedVerdicts(
  t: ExecutionContext,
  clicks: readonly JudgeableClick[],
  judged: readonly JudgedClick[],
  historyMs: number,
): void {
  const speed = new Map(judged.map((click) => [click.event_id, click]))
  t.is(speed.size, judged.length, 'each click is judged once')
  t.is(judged.length, clicks.length)
  const located = clicks.map((click) => ({
    ...click,
    raw_partition: speed.get(click.event_id)?.raw_partition ?? -1,
    raw_offset: speed.get(click.event_id)?.raw_offset ?? -1,
  }))
  const differences = explainDifferences(located, speed, historyMs)
  t.log(`${clicks.length} clicks; speed differs from batch: ${JSON.stringify(differences)}`)
  t.is(differences.unexplained, 0)
}
