// Batch and speed, joined click by click in DuckDB, and a class for each difference. A class is only
// given where something in the clicks shows it: what is left over is missing or unexplained.
import type { DuckDBConnection } from '@duckdb/node-api'
import { identityRule, isRepeat, type RepeatRule, type RuleSet } from '#core/rules/rule-set.ts'
import { isMarked } from '#core/rules/set-based.ts'
import { hourMs } from '#schemas/paths.ts'
import { present, sameKey } from '../rebuild/affected-sql.ts'

export interface DifferenceOptions {
  /** What batch judged under. */
  readonly ruleSet: RuleSet
  /** Advertisers whose clicks batch judged under another one. */
  readonly exceptions?: readonly { readonly advertiserId: string; readonly ruleSet: RuleSet }[]
  /** What the speed layer remembers at least (CLICKLEDGER_SPEED_WINDOW). */
  readonly historyMs: number
  /** Clicks received before it may have been judged before the judged archive began, ms. */
  readonly heldSince: number
  /** By partition of clicks.raw: below `archived` all is in files, below `log` all is in the log. */
  readonly ends: readonly { readonly archived: number; readonly log: number }[]
  /** Called before relations `clicks` and `judged_around` are read: most often they need not be. */
  lookAround(): Promise<void>
}

/** Not differences: what cannot be told yet, and what can no longer be told. */
export const untold = ['pending', 'before-archive'] as const

const position = (a: string, b: string) =>
  `${a}.raw_partition = ${b}.raw_partition AND ${a}.raw_offset = ${b}.raw_offset`
const order = (at: string) =>
  `(${['event_time', 'event_id', 'raw_partition', 'raw_offset'].map((f) => `${at}.${f}`).join(', ')})`

function endsSql(ends: DifferenceOptions['ends']): string {
  const rows = ends.map(({ archived, log }, partition) => `(${partition}, ${archived}, ${log})`)
  return `(VALUES ${['(-1, 0, 0)', ...rows].join(', ')}) AS e (raw_partition, archived, log)`
}

/** Version of the rule set that batch judged a row's advertiser under. */
function versionSql({ ruleSet, exceptions = [] }: DifferenceOptions): string {
  const whens = exceptions.map(
    (e) => `WHEN '${e.advertiserId.replaceAll("'", "''")}' THEN ${e.ruleSet.version}`,
  )
  return whens.length === 0
    ? String(ruleSet.version)
    : `CASE advertiser_id ${whens.join(' ')} ELSE ${ruleSet.version} END`
}

/** A table `differences`: the clicks on which the two sides differ, classed where no others matter. */
function differencesSql(options: DifferenceOptions): string {
  const { heldSince, ends } = options
  return `CREATE OR REPLACE TEMP TABLE differences AS
    WITH said AS (
      SELECT advertiser_id, event_id, raw_partition, raw_offset, min(event_time) AS event_time,
        count(*) AS times, min(status) AS status, min(rule) AS rule, min(rule_set) AS rule_set
      FROM judged GROUP BY advertiser_id, event_id, raw_partition, raw_offset
    ), joined AS (
      SELECT advertiser_id, event_id, raw_partition, raw_offset,
        coalesce(b.event_time, s.event_time) AS event_time, b.event_time <> s.event_time AS is_moved,
        b.received_time AS reached, b.status AS batch_status, b.rule AS batch_rule,
        s.status AS speed_status, s.rule AS speed_rule, s.rule_set, s.times
      FROM batch b FULL JOIN said s USING (advertiser_id, event_id, raw_partition, raw_offset)
    )
    SELECT row_number() OVER () AS id, j.*, j.event_time - j.event_time % ${hourMs} AS hour,
      CASE
        WHEN batch_status IS NULL THEN CASE
          WHEN l.raw_offset IS NOT NULL OR (j.raw_offset >= e.archived AND j.raw_offset < e.log)
          THEN 'pending' ELSE 'missing-in-archive' END
        WHEN times > 1 OR is_moved THEN 'unexplained'
        WHEN speed_status IS NULL AND reached < ${heldSince} THEN 'before-archive'
        WHEN batch_status <> 'copy' AND rule_set <> ${versionSql(options)} THEN 'rule-set'
      END AS class
    FROM joined j
    LEFT JOIN ${endsSql(ends)} ON e.raw_partition = j.raw_partition
    LEFT JOIN (SELECT DISTINCT raw_partition, raw_offset FROM later) l ON ${position('l', 'j')}
    WHERE batch_status IS NULL OR times > 1 OR is_moved
      OR (speed_status IS NULL AND batch_status <> 'copy')
      OR (speed_status IS NOT NULL AND (batch_status <> speed_status OR batch_rule <> speed_rule))`
}

/** Differences without a class in which the rule has a say: one side, or both, named it. */
function subjectsSql(rule: RepeatRule): string {
  const isCopy = `(batch_status = 'copy' OR speed_status IS NULL)`
  const isNamed = `'${rule.id}' IN (batch_rule, speed_rule)`
  return `SELECT id, raw_partition, raw_offset, reached, speed_status IS NULL AS is_missing
    FROM differences
    WHERE class IS NULL AND ${rule === identityRule ? isCopy : `NOT ${isCopy} AND ${isNamed}`}`
}

/** Clicks that a rule compares with those of `subjects`: c and o. */
function pairsSql(rule: RepeatRule, ruleSet: RuleSet, subjects: string): string {
  const others =
    rule === identityRule ? 'clicks' : `(SELECT * FROM clicks WHERE NOT (${isMarked(ruleSet)}))`
  return `(${subjects}) d JOIN clicks c ON ${position('c', 'd')}
    JOIN ${others} o ON ${sameKey(rule, 'o', 'c')} AND abs(o.event_time - c.event_time) < ${rule.windowMs}
      AND NOT (${position('o', 'c')})
    WHERE ${present(rule, 'c')}`
}

/**
 * Why the speed layer may compare a subject with others otherwise than batch does.
 * `reached`: how far the received time of its partition had come, by which it forgets.
 */
function reasonsSql(
  rule: RepeatRule,
  { ruleSet, historyMs }: DifferenceOptions,
  subjects: string,
): string {
  const spanMs = Math.min(rule.windowMs, historyMs)
  const isForgotten = `is_before AND was_read_before AND reached - o_received >= ${spanMs}`
  return `SELECT id, CASE
      WHEN bool_or(CASE
        -- What speed never said anything about must be a copy of one that it read before.
        WHEN is_missing THEN is_same_partition AND was_read_before AND NOT is_before
        ELSE is_same_partition AND (is_before <> was_read_before OR (${isForgotten} AND apart < ${spanMs}))
      END) THEN 'late'
      WHEN bool_or(NOT is_missing AND is_same_partition AND ${isForgotten}) THEN 'wider-window'
      WHEN bool_or(NOT is_missing AND NOT is_same_partition AND is_before) THEN 'other-partition'
    END AS class
    FROM (
      SELECT d.id, d.reached, d.is_missing, o.received_time AS o_received,
        abs(o.event_time - c.event_time) AS apart, o.raw_offset < c.raw_offset AS was_read_before,
        o.raw_partition = c.raw_partition AS is_same_partition, ${order('o')} < ${order('c')} AS is_before
      FROM ${pairsSql(rule, ruleSet, subjects)}
    ) pairs GROUP BY id`
}

/** Clicks that count on one side only, because of their copies, change the verdicts of others. */
function reasonsOfNeighboursSql(rule: RepeatRule, options: DifferenceOptions): string {
  const neighbours = `SELECT DISTINCT d.id, o.raw_partition, o.raw_offset,
      o.received_time AS reached, false AS is_missing
    FROM ${pairsSql(rule, options.ruleSet, subjectsSql(rule))}`
  return reasonsSql(identityRule, options, neighbours)
}

/**
 * How far the received time of a partition had really come when it read the clicks without a class: a
 * node that ships late brings old clicks after new ones of other nodes.
 */
const reachedSql = `UPDATE differences SET reached = r.reached FROM (
    SELECT raw_partition, raw_offset,
      max(received) OVER (PARTITION BY raw_partition ORDER BY raw_offset) AS reached
    FROM (
      SELECT d.raw_partition, d.raw_offset, max(c.received_time) AS received
      FROM clicks c ASOF JOIN (SELECT * FROM differences WHERE class IS NULL) d
        ON c.raw_partition = d.raw_partition AND c.raw_offset <= d.raw_offset
      GROUP BY d.raw_partition, d.raw_offset
    ) parts
  ) r WHERE ${position('r', 'differences')} AND class IS NULL`

/** A copy of a click explains its absence only where the speed layer spoke of that. */
const hiddenSql = `UPDATE differences SET class = 'missing-in-speed'
  WHERE speed_status IS NULL AND class = 'late' AND NOT EXISTS (
    SELECT 1 FROM judged_around j
    WHERE j.advertiser_id = differences.advertiser_id AND j.event_id = differences.event_id)`

const restSql = `UPDATE differences SET class =
    CASE WHEN speed_status IS NULL THEN 'missing-in-speed' ELSE 'unexplained' END
  WHERE class IS NULL`

/**
 * Leaves a table `differences`, each with its class (or one of `untold`).
 *
 * Reads relations that the caller makes: `batch` (what batch says of each click, copies included),
 * `judged` (clicks.judged of the same hours), `later` (raw clicks of these hours that batch did not
 * have); and only where it must, `clicks` (raw clicks of the hours, and around them as far as rules and
 * copies reach) and `judged_around` (clicks.judged a day around).
 */
export async function nameDifferences(
  connection: DuckDBConnection,
  options: DifferenceOptions,
): Promise<void> {
  const { ruleSet, exceptions = [] } = options
  const sets = [ruleSet, ...exceptions.map((exception) => exception.ruleSet)]
  const rules = [identityRule, ...sets.flatMap((set) => set.rules.filter(isRepeat))]
  const isDone = async () => {
    const found = await connection.runAndReadAll(
      'SELECT 1 FROM differences WHERE class IS NULL LIMIT 1',
    )
    return found.getRows().length === 0
  }
  const explain = async (reasons: (rule: RepeatRule) => string) => {
    if (await isDone()) return
    for (const rule of rules) {
      await connection.run(`UPDATE differences SET class = r.class FROM (${reasons(rule)}) r
        WHERE r.id = differences.id AND differences.class IS NULL`)
    }
  }
  const ofOwn = (rule: RepeatRule) => reasonsSql(rule, options, subjectsSql(rule))
  await connection.run(differencesSql(options))
  if (await isDone()) return
  await options.lookAround()
  await explain(ofOwn)
  if (!(await isDone())) await connection.run(reachedSql)
  await explain(ofOwn)
  await explain((rule) => reasonsOfNeighboursSql(rule, options))
  await connection.run(hiddenSql)
  await connection.run(restSql)
}
