// The conservation law, held against what clients were told: every accepted click is judged exactly
// once, and nothing is judged that no client sent.
import type { ExecutionContext } from 'ava'
import { imbalance } from '#core/conservation.ts'
import { reaches } from '#core/offsets.ts'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet, type RuleSet } from '#core/rules/rule-set.ts'
import type { Settings } from '#platform/config.ts'
import type { EventLog, LogRecord } from '#platform/event-log/port.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import type { ArchivedClick, JudgedClick } from '#schemas/fields.ts'
import { groups, topics } from '#schemas/topics.ts'
import type { Status } from '#schemas/verdicts.ts'
import type { LoadLedger } from './click-load.ts'
import { countByHour, type HourCounts } from './compare.ts'

/** Everything that a topic holds now. */
export async function readTopic(log: EventLog, topic: string): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for (const [partition, end] of (await log.endOffsets(topic)).entries()) {
    const reader = await log.reader(topic, partition, 0)
    while (reader.position < end) all.push(...(await reader.read(5_000, 1_000)))
    await reader.close()
  }
  return all
}

/** Clicks on clicks.raw with their positions; what cannot be decoded is left out. */
export async function readRawClicks(log: EventLog): Promise<ArchivedClick[]> {
  return (await readTopic(log, topics.raw.name)).flatMap(({ partition, offset, value }) => {
    const decoded = decodeRawClick(value)
    if (decoded.kind !== 'click') return []
    return [{ ...decoded.click, raw_partition: partition, raw_offset: offset }]
  })
}

export async function readJudgedClicks(log: EventLog): Promise<JudgedClick[]> {
  const records = await readTopic(log, topics.judged.name)
  return records.map(({ value }) => JSON.parse(Buffer.from(value).toString('utf8')))
}

/** Waits until a node of ingest has shipped all that its write-ahead log holds. */
export async function untilShipped(ingestUrl: string): Promise<void> {
  const isShipped = async () => {
    const answer = await fetch(`${ingestUrl}/readyz`)
    return ((await answer.json()) as { wal_depth_clicks: number }).wal_depth_clicks === 0
  }
  await until(isShipped, { everyMs: 20, what: 'the write-ahead log is shipped' })
}

/** Waits until the speed layer, which runs elsewhere, has judged all that clicks.raw holds. */
export async function untilJudged(settings: Settings): Promise<void> {
  const log = await openEventLog(settings, Date.now)
  const isJudged = async () => {
    const ends = await log.endOffsets(topics.raw.name)
    const committed = await log.committedOffsets(groups.speed, topics.raw.name)
    return reaches(committed, ends)
  }
  const what = 'the speed layer has judged everything'
  await until(isJudged, { everyMs: 50, what }).finally(() => log.close())
}

export interface Conserved {
  readonly raw: readonly ArchivedClick[]
  readonly judged: readonly JudgedClick[]
  readonly figures: Readonly<Record<string, number>>
}

const identityOf = ({ advertiser_id, event_id }: { advertiser_id: string; event_id: string }) =>
  `${advertiser_id} ${event_id}`

/** Holds the law. Call it when everything is shipped and judged. */
export async function checkConservation(
  t: ExecutionContext,
  settings: Settings,
  ledger: LoadLedger,
): Promise<Conserved> {
  const log = await openEventLog(settings, Date.now)
  const raw = await readRawClicks(log)
  const judged = await readJudgedClicks(log)
  const deadLetters = await readTopic(log, topics.deadLetters.name)
  await log.close()

  const impressions = new Map(
    raw.map((click) => [`${click.raw_partition} ${click.raw_offset}`, click.impression_id]),
  )
  const impressionOf = (click: JudgedClick) =>
    impressions.get(`${click.raw_partition} ${click.raw_offset}`) ?? 'not in the log'
  const byEvent = new Map(judged.map((click) => [click.event_id, click]))
  const lost = [...ledger.accepted.keys()].filter((id) => !byEvent.has(id))
  const foreign = judged.filter((click) => {
    const impression = impressionOf(click)
    return ledger.accepted.get(click.event_id) !== impression && !ledger.unanswered.has(impression)
  })
  const refused = judged.filter((click) => ledger.refused.has(impressionOf(click)))

  t.deepEqual(ledger.strange.slice(0, 5), [], 'no answer that a client should not see')
  t.deepEqual(lost.slice(0, 5), [], `${lost.length} accepted clicks are not judged`)
  t.is(new Set(judged.map(identityOf)).size, judged.length, 'no click is judged twice')
  t.is(new Set(judged.map(impressionOf)).size, judged.length, 'no click is there under two ids')
  t.deepEqual(foreign.slice(0, 5), [], 'nothing is judged that nobody sent')
  t.is(refused.length, 0, 'nothing counts whose client was told that it does not')
  t.is(new Set(raw.map(identityOf)).size, judged.length, 'all that is in the log is judged')

  const mine = judged.filter((click) => ledger.accepted.has(click.event_id))
  const count = (status: Status) => mine.filter((click) => click.status === status).length
  const books = {
    accepted: ledger.accepted.size,
    valid: count('valid'),
    duplicate: count('duplicate'),
    invalid: count('invalid'),
    deadLettered: deadLetters.length,
    inFlight: 0,
  }
  t.is(imbalance(books), 0, JSON.stringify(books))
  const figures = {
    ...books,
    unanswered: ledger.unanswered.size,
    unansweredButCounted: judged.length - mine.length,
    refused: ledger.refused.size,
    retries: ledger.retries,
    copies: raw.length - judged.length,
  }
  return { raw, judged, figures }
}

/** What the naive definition says of these clicks, per ad and hour. */
export function naiveByHour(
  clicks: readonly ArchivedClick[],
  ruleSet: RuleSet = defaultRuleSet,
): HourCounts {
  return countByHour(clicks, judgeNaively(ruleSet, clicks))
}

/** What the views say, per ad and hour, batch below the boundary. */
export async function viewsByHour(
  olap: OlapStore,
  range: { readonly start: number; readonly end: number; readonly boundary: number },
): Promise<HourCounts> {
  const rows = await olap.query({
    ...range,
    ...{ granularity: 'hour', timeZone: 'UTC', dimensions: ['ad_id'], filters: [] },
    metrics: [
      'gross_click_count',
      'click_count',
      'duplicate_click_count',
      'fraudulent_click_count',
      'unique_user_count',
    ],
    ...{ limit: 50_000 },
  })
  return Object.fromEntries(
    rows.map(({ time, dimensions, metrics }) => [
      `${new Date(time).toISOString()} ${dimensions.ad_id}`,
      {
        gross: metrics.gross_click_count ?? 0,
        valid: metrics.click_count ?? 0,
        duplicate: metrics.duplicate_click_count ?? 0,
        invalid: metrics.fraudulent_click_count ?? 0,
        visitors: metrics.unique_user_count ?? 0,
      },
    ]),
  )
}
