// The set-based interpreter: a rule set compiles to one SQL text that DuckDB runs and Spark can
// run. It reads a relation `clicks` (the archive's columns) and yields one row for each click in
// [start, end) that is not simply valid. Only keys that occur often enough are ever sorted; that,
// and not the windows, decides the speed.
import {
  identityRule,
  isMarkRule,
  isRepeat,
  keyFields,
  lookBackMs,
  type RepeatRule,
  type Rule,
  type RuleSet,
  widestWindowMs,
} from './rule-set.ts'

/** Event times in milliseconds: [start, end). */
export interface TimeRange {
  readonly start: number
  readonly end: number
}

/**
 * A share of all keys, to bound memory: SQL that is true for some values of these columns, or
 * undefined for all. Every row of a key is in the same share.
 */
export type Slice = (key: readonly string[]) => string | undefined

const everyKey: Slice = () => undefined

/** The advertiser and every field that a rule's key may name. */
const keyColumnsMax = 1 + keyFields.length

/** `verdict_rank` of a copy; the rules follow as 1, 2, .. in their order. */
export const copyRank = 0

const all = (terms: readonly (string | undefined)[]) =>
  terms.filter((term) => term !== undefined).join(' AND ')
const within = (from: number, end: number) => `event_time > ${from} AND event_time < ${end}`
const inRange = (range: TimeRange) => `event_time >= ${range.start} AND event_time < ${range.end}`

const carries = (mark: string) => `concat(',', marks, ',') LIKE '%,${mark},%'`

/**
 * Keys are only compared by hash where more than needed does no harm: which clicks to sort at all.
 * Two keys with one hash are sorted without need; the windows are over the keys themselves.
 */
const hashed = (key: readonly string[]) => `xxhash64(${key.join(', ')}) AS key_hash`

/** What DuckDB needs before it can run compiled rule sets: Spark's name for its own hash. */
export const duckDbMacroSql = `CREATE OR REPLACE TEMP MACRO xxhash64 ${Array.from(
  { length: keyColumnsMax },
  (_, n) => {
    const list = Array.from({ length: n + 1 }, (_, i) => `k${i}`).join(', ')
    return `(${list}) AS hash(${list})`
  },
).join(', ')}`

/** SQL that is true for rows that a `mark` rule catches; over a column `marks`. */
export function isMarked(ruleSet: RuleSet): string {
  const terms = ruleSet.rules.filter(isMarkRule).map((rule) => carries(rule.mark))
  return terms.length === 0 ? '1 = 0' : `marks <> '' AND (${terms.join(' OR ')})`
}

const keyColumns = (rule: RepeatRule) => ['advertiser_id', ...rule.key]
const present = (rule: RepeatRule) => rule.key.map((field) => `${field} <> ''`)

/** Columns that `scope` rows carry: position, order, identity, key. */
function scopeColumns(rule: RepeatRule): string[] {
  const base = ['raw_partition', 'raw_offset', 'event_time', 'event_id']
  return [...base, ...keyColumns(rule).filter((name) => !base.includes(name))]
}

/** Rows to find: those of a range and its look-back whose key occurs often enough. */
interface Search {
  /** Of the table of rows that were found in the look-back. */
  readonly prior: string
  readonly key: readonly string[]
  readonly columns: readonly string[]
  /** Terms that hold for all rows that count. */
  readonly terms: readonly string[]
  /** The look-back begins after this event time. */
  readonly from: number
  /** Queries of key hashes: no row of the look-back is sought but with one of these. */
  readonly watched: readonly string[]
  /** Found are rows whose key occurs more often. */
  readonly after: number
  readonly range: TimeRange
  readonly slice: Slice
}

/**
 * With a look-back longer than the range, most keys of the look-back never occur in the range. So it
 * is read once, and apart.
 */
const isWide = ({ from, range }: Search) => range.start - from > range.end - range.start

const narrowed = (rows: string, hashes: string) =>
  `${rows} n SEMI JOIN ${hashes} k ON n.key_hash = k.key_hash`

const listed = (columns: readonly string[]) => [...columns, 'key_hash'].join(', ')

/** Rows of clicks with these columns and the hash of their key. */
function clickRows(
  { key, terms, slice }: Search,
  columns: readonly string[],
  when: string,
): string {
  const list = [...columns, hashed(key)].join(', ')
  return `SELECT ${list} FROM clicks WHERE ${all([when, slice(key), ...terms])}`
}

/** Steps that a search needs before it. */
function priorSteps(search: Search): Step[] {
  if (!isWide(search)) return []
  const { prior, columns, from, range, watched } = search
  const looked = `(${clickRows(search, columns, within(from, range.start))})`
  const hashes = `(${watched.join(' UNION ALL ')})`
  return [{ name: prior, sql: `SELECT n.* FROM ${narrowed(looked, hashes)}` }]
}

/** All rows that count, with these columns. */
function searchedRows(search: Search, columns: readonly string[]): string {
  const { prior, key, from, range, slice } = search
  if (!isWide(search)) return `(${clickRows(search, columns, within(from, range.end))})`
  const own = clickRows(search, columns, inRange(range))
  const sliced = slice(key)
  const before = `SELECT ${listed(columns)} FROM ${prior}${sliced ? ` WHERE ${sliced}` : ''}`
  return `(${own} UNION ALL ${before})`
}

/** Relation of the rows that are found. */
function foundRows(search: Search): string {
  const hashes = searchedRows(search, [])
  const frequent = `(SELECT h.key_hash FROM ${hashes} h GROUP BY h.key_hash HAVING count(*) > ${search.after})`
  return narrowed(searchedRows(search, search.columns), frequent)
}

const hashesOf = (
  key: readonly string[],
  relation: string,
  terms: readonly (string | undefined)[],
) => `SELECT ${hashed(key)} FROM ${relation} WHERE ${all(terms)}`

/** Unmarked clicks whose key occurs more than `after` times: all that a rule can ever catch or count. */
function scopeSteps(
  ruleSet: RuleSet,
  { rule, scope }: RankedRepeat,
  range: TimeRange,
  slice: Slice,
): Step[] {
  const key = keyColumns(rule)
  const columns = scopeColumns(rule)
  const search: Search = {
    ...{ prior: `${scope}_prior`, key, columns, range, slice },
    terms: [...present(rule), `NOT (${isMarked(ruleSet)})`],
    from: range.start - rule.windowMs,
    watched: [hashesOf(key, 'clicks', [inRange(range), slice(key), ...present(rule)])],
    after: rule.after,
  }
  const sql = `SELECT ${columns.map((name) => `n.${name}`).join(', ')} FROM ${foundRows(search)}`
  return [...priorSteps(search), { name: scope, sql }]
}

/** Positions of copies, among the clicks of the range and all that a rule's scope looks back at. */
function copiesSteps(
  ruleSet: RuleSet,
  scopes: readonly string[],
  range: TimeRange,
  slice: Slice,
): Step[] {
  const key = keyColumns(identityRule)
  const before = `event_time < ${range.start}`
  const search: Search = {
    ...{ prior: 'copies_prior', key, range, slice },
    columns: ['raw_partition', 'raw_offset', 'event_time', ...key],
    terms: [],
    from: range.start - lookBackMs(ruleSet),
    watched: [
      hashesOf(key, 'clicks', [inRange(range), slice(key)]),
      ...scopes.map((name) => hashesOf(key, name, [before, slice(key)])),
    ],
    after: 1,
  }
  const sql = `SELECT raw_partition, raw_offset, event_time FROM (
    SELECT n.raw_partition, n.raw_offset, n.event_time,
      LAG(n.event_time, 1) OVER (PARTITION BY ${key.map((name) => `n.${name}`).join(', ')}
        ORDER BY n.event_time, n.raw_partition, n.raw_offset) AS prior
    FROM ${foundRows(search)}
  ) lagged WHERE event_time > ${range.start - Math.max(1, widestWindowMs(ruleSet))} AND prior > event_time - ${identityRule.windowMs}`
  return [...priorSteps(search), { name: 'copies', sql }]
}

/** Clicks of the range that a repeat rule catches: the n-th previous click of the key is inside the window. */
function hitsSql({ rule, rank, scope }: RankedRepeat, range: TimeRange, slice: Slice): string {
  const key = keyColumns(rule)
  const sliced = slice(key)
  const rows = sliced ? `(SELECT * FROM ${scope} WHERE ${sliced})` : scope
  return `SELECT raw_partition, raw_offset, ${rank} AS verdict_rank FROM (
    SELECT s.raw_partition, s.raw_offset, s.event_time,
      LAG(s.event_time, ${rule.after}) OVER (PARTITION BY ${key.map((name) => `s.${name}`).join(', ')}
        ORDER BY s.event_time, s.event_id) AS prior
    FROM ${rows} s ANTI JOIN copies x
      ON s.raw_partition = x.raw_partition AND s.raw_offset = x.raw_offset
  ) lagged WHERE event_time >= ${range.start} AND prior > event_time - ${rule.windowMs}`
}

function marksSql(ruleSet: RuleSet, range: TimeRange): string | undefined {
  const whens = ruleSet.rules.flatMap((rule, i) =>
    rule.kind === 'mark' ? [`WHEN ${carries(rule.mark)} THEN ${i + 1}`] : [],
  )
  if (whens.length === 0) return undefined
  return `SELECT raw_partition, raw_offset, CASE ${whens.join(' ')} END AS verdict_rank
    FROM clicks WHERE ${inRange(range)} AND ${isMarked(ruleSet)}`
}

interface RankedRepeat {
  readonly rule: RepeatRule
  readonly rank: number
  /** Name of its scope. */
  readonly scope: string
}

const rankedRepeats = (ruleSet: RuleSet): RankedRepeat[] =>
  ruleSet.rules.flatMap((rule, i) =>
    isRepeat(rule) ? [{ rule, rank: i + 1, scope: `scope_${i + 1}` }] : [],
  )

/** The parts of a compiled rule set in the order of their needs: scopes, copies, then what was found. */
function partsOf(
  ruleSet: RuleSet,
  range: TimeRange,
  slice: Slice,
): { tables: Step[]; hits: string[] } {
  const repeats = rankedRepeats(ruleSet)
  const names = repeats.map(({ scope }) => scope)
  return {
    tables: [
      ...repeats.flatMap((repeat) => scopeSteps(ruleSet, repeat, range, slice)),
      ...copiesSteps(ruleSet, names, range, slice),
    ],
    hits: repeats.map((repeat) => hitsSql(repeat, range, slice)),
  }
}

/** What is found without looking at keys. */
function foundAtOnce(ruleSet: RuleSet, range: TimeRange): string[] {
  const marked = marksSql(ruleSet, range)
  return [
    `SELECT raw_partition, raw_offset, ${copyRank} AS verdict_rank FROM copies WHERE event_time >= ${range.start}`,
    ...(marked ? [marked] : []),
  ]
}

const firstRank = (found: string) =>
  `SELECT raw_partition, raw_offset, min(verdict_rank) AS verdict_rank
FROM ${found} found GROUP BY raw_partition, raw_offset`

export interface Step {
  readonly name: string
  readonly sql: string
}

/**
 * The queries that a compiled rule set is made of, in their order: each reads the relation `clicks`
 * and the steps before it by name. For engines that should compute each of them once and keep it.
 * @returns the steps; the last one, `verdicts`, yields the rows of `compileRuleSet`
 */
export function ruleSetSteps(ruleSet: RuleSet, range: TimeRange): Step[] {
  const { tables, hits } = partsOf(ruleSet, range, everyKey)
  const found = [...foundAtOnce(ruleSet, range), ...hits]
  return [...tables, { name: 'verdicts', sql: firstRank(`(${found.join('\nUNION ALL\n')})`) }]
}

/**
 * Compiles a rule set to SQL over a relation `clicks` that holds the archive's columns for at
 * least [start - lookBackMs, end).
 * @param range - event times to judge; whole milliseconds
 * @returns a query yielding (raw_partition, raw_offset, verdict_rank): one row for each click of
 *   the range that is a copy (rank 0) or caught by rule number `rank` (from 1); no row means valid.
 */
export function compileRuleSet(ruleSet: RuleSet, range: TimeRange): string {
  const steps = ruleSetSteps(ruleSet, range)
  const ctes = steps.map(({ name, sql }) => `${name} AS (${sql})`)
  return `WITH ${ctes.join(',\n')}
SELECT * FROM verdicts`
}

/**
 * The same as statements that each look at one slice of the keys, for engines that should not hold
 * all of them at once. They leave a temporary table `verdicts` with the rows of `compileRuleSet`.
 * @param slices - each key is in exactly one; at least one slice
 */
export function compileRuleSetInSlices(
  ruleSet: RuleSet,
  range: TimeRange,
  slices: readonly Slice[],
): string[] {
  const parts = slices.map((slice) => partsOf(ruleSet, range, slice))
  const names = parts[0]?.tables.map(({ name }) => name) ?? []
  // A table is complete before the next one is begun: copies look at all of every scope.
  const filled = (name: string, queries: readonly string[]) =>
    queries.map((sql, i) =>
      i === 0 ? `CREATE TEMPORARY TABLE ${name} AS ${sql}` : `INSERT INTO ${name} ${sql}`,
    )
  const found = [...foundAtOnce(ruleSet, range), ...parts.flatMap(({ hits }) => hits)]
  return [
    ...names.flatMap((name, i) =>
      filled(
        name,
        parts.map(({ tables }) => tables[i]?.sql ?? ''),
      ),
    ),
    ...filled('found', found),
    `CREATE TEMPORARY TABLE verdicts AS ${firstRank('found')}`,
    ...[...names, 'found'].map((name) => `DROP TABLE ${name}`),
  ]
}

/** SQL expressions that turn a `verdict_rank` column (null: valid) into status and rule id. */
export function verdictColumns(ruleSet: RuleSet): { status: string; rule: string } {
  const pick = (value: (rule: Rule) => string, otherwise: string) =>
    ruleSet.rules.length === 0
      ? `'${otherwise}'`
      : `CASE verdict_rank ${ruleSet.rules
          .map((rule, i) => `WHEN ${i + 1} THEN '${value(rule)}'`)
          .join(' ')} ELSE '${otherwise}' END`
  return { status: pick((rule) => rule.status, 'valid'), rule: pick((rule) => rule.id, '') }
}
