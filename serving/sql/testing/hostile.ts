// Hostile statements at random: whatever SQL has to reach another tenant's rows, or to move, hide or
// shadow the predicate. Most can be answered; of what they answer, nothing may come from others.
import type { Asked } from './rig.ts'

/** A repeatable source of choices. */
export type Dice = ReturnType<typeof createDice>

export function createDice(seed: number) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  const one = <T>(...choices: readonly [T, ...T[]]): T =>
    choices[below(choices.length)] ?? choices[0]
  return { below, one, chance: (share: number) => next() < share }
}

const foreign = "'foreign'"

function tableName(d: Dice): string {
  return d.one(
    ...([
      'clicks',
      '"clicks"',
      'clicks',
      'druid.clicks',
      '"druid"."clicks"',
      'clicks_hour',
    ] as const),
    ...([
      'clicks_day',
      '/* clicks_speed */ clicks',
      'U&"cl\\0069cks"',
      'clicks -- tenant\n',
    ] as const),
    ...([
      'clicks_batch',
      'druid.clicks_speed',
      'speed_minutes',
      'batch_minutes',
      'main.batch_days',
    ] as const),
    ...([
      'sys.segments',
      'lookup.foreign',
      'INFORMATION_SCHEMA.COLUMNS',
      'views.main.speed_minutes',
    ] as const),
    ...([
      'duckdb_settings()',
      "read_csv('/etc/passwd')",
      "'speed_minutes'",
      'pg_catalog.pg_tables',
    ] as const),
    ...([
      "TABLE(APPEND('clicks','clicks_speed'))",
      "TABLE(EXTERN('{}','{}','[]'))",
      'applied_offsets',
    ] as const),
  )
}

/** Mostly the tables that there are. */
const source = (d: Dice) =>
  d.chance(0.93) ? d.one('clicks', 'clicks', 'clicks_hour', 'clicks_day') : tableName(d)

function condition(d: Dice, alias: string): string {
  const column = (name: string) => (alias === '' || d.chance(0.3) ? name : `${alias}.${name}`)
  return d.one(
    () => `${column('advertiser_id')} = ${foreign}`,
    () => `${column('advertiser_id')} <> 'mine' OR 1 = 1`,
    () => `1 = 1) OR (1 = 1`,
    () => `TRUE OR ${column('"advertiser_id"')} IN ('mine', ${foreign})`,
    () => `${column('advertiser_id')} LIKE '%' /* ') OR 1=1 */`,
    () => `NOT (${column('advertiser_id')} = 'mine')`,
    () => `${column('ad_id')} IN (SELECT ad_id FROM ${source(d)} WHERE advertiser_id = ${foreign})`,
    () => `${column('ad_id')} NOT IN (SELECT x.ad_id FROM ${source(d)} x)`,
    () => `EXISTS (SELECT 1 FROM ${source(d)} WHERE advertiser_id <> 'mine')`,
    () => `${column('click_count')} < (SELECT SUM(gross_click_count) FROM ${source(d)})`,
    () =>
      `(SELECT MAX(advertiser_id) FROM ${source(d)} i WHERE i.ad_id = ${column('ad_id')}) <> 'mine'`,
    () =>
      `${column('__time')} ${d.one('>', '<', '>=', '<=')} TIMESTAMP '2026-11-2${d.below(4)} 0${d.below(10)}:00:00'`,
    () => `${column('country')} = U&'\\0027 OR 1=1 --'`,
    () => `${column('country')} = '' OR ${column('layer')} = 'speed'`,
    () => `${column('ad_id')} = ?`,
    () => `${column('advertiser_id')} IS NOT NULL AND ${column('country')} <> 'x'' OR ''1''=''1'`,
    () => `CASE WHEN ${column('advertiser_id')} = ${foreign} THEN TRUE ELSE TRUE END`,
  )()
}

function item(d: Dice, alias: string): string {
  const column = (name: string) => (d.chance(0.5) || alias === '' ? name : `${alias}.${name}`)
  return d.one(
    () => column('advertiser_id'),
    () => column('ad_id'),
    () => `${column('ad_id')} AS advertiser_id`,
    () => `'mine' AS advertiser_id`,
    () => `${column('click_count')} AS n`,
    () => `UPPER(${column('ad_id')}) AS "layer"`,
    () => `(SELECT MAX(advertiser_id) FROM ${source(d)}) AS m`,
    () => `(SELECT COUNT(*) FROM ${source(d)} WHERE advertiser_id = ${foreign}) AS "t1"`,
    () => column('gross_click_count'),
    () => `COALESCE(NULLIF(${column('advertiser_id')}, 'mine'), 'none') AS c`,
    () => `LOOKUP(${column('ad_id')}, 'foreign') AS l`,
    () => `CONCAT(${column('advertiser_id')}, '/', ${column('ad_id')}) AS "a""b"`,
  )()
}

function aggregate(d: Dice): string {
  return d.one(
    () => 'SUM(gross_click_count) AS n',
    () => 'COUNT(*) AS n',
    () => 'COUNT(DISTINCT advertiser_id) AS n',
    () => 'MAX(advertiser_id) AS n',
    () => `SUM(click_count) FILTER (WHERE advertiser_id = ${foreign}) AS n`,
    () => 'APPROX_COUNT_DISTINCT_DS_HLL(unique_user_count) AS n',
    () => `SUM(CASE WHEN advertiser_id = 'mine' THEN 0 ELSE gross_click_count END) AS n`,
    () => 'MIN(__time) AS n',
    () => 'unique_user_count AS n',
    () => "STRING_AGG(advertiser_id, ',') AS n",
    () => 'MIN(ad_id) AS n',
  )()
}

const where = (d: Dice, alias: string) => (d.chance(0.6) ? ` WHERE ${condition(d, alias)}` : '')

function plain(d: Dice, depth: number): string {
  const alias = d.one('', 'c', 'clicks_batch', '"t1"')
  const from = d.chance(0.3) && depth > 0 ? `(${query(d, depth - 1)})` : source(d)
  const named =
    from.startsWith('(') && alias === ''
      ? `${from} s`
      : alias
        ? `${from} ${d.one('', 'AS ')}${alias}`
        : from
  if (d.chance(0.5)) {
    const key = d.one('ad_id', 'advertiser_id', 'country', "TIME_FLOOR(__time, 'PT1H')")
    const tail = d.one('', '', ' HAVING COUNT(*) > 0', ` HAVING MAX(advertiser_id) <> 'mine'`)
    return `SELECT ${key} AS k, ${aggregate(d)} FROM ${named}${where(d, alias)} GROUP BY ${d.one('1', key)}${tail}`
  }
  if (d.chance(0.3)) return `SELECT ${aggregate(d)} FROM ${named}${where(d, alias)}`
  const items = d.one('*', 'advertiser_id, *', `${item(d, alias)}, ${item(d, alias)}`)
  return `SELECT ${d.one('', 'DISTINCT ')}${items} FROM ${named}${where(d, alias)}`
}

function join(d: Dice): string {
  const [type, on] = d.one(
    ['JOIN', ' ON a.ad_id = b.ad_id'] as const,
    ['LEFT JOIN', ' ON a.country = b.country'] as const,
    ['FULL JOIN', " ON a.ad_id = b.ad_id AND b.advertiser_id = 'foreign'"] as const,
    ['RIGHT JOIN', ' ON a.publisher_id = b.publisher_id AND a.ad_id <> b.ad_id'] as const,
    ['CROSS JOIN', ''] as const,
    [', LATERAL', ''] as const,
    ['NATURAL JOIN', ''] as const,
    [',', ''] as const,
  )
  const side = (alias: string) =>
    d.chance(0.5)
      ? `${source(d)} ${alias}`
      : `(SELECT advertiser_id, ad_id, country, publisher_id, SUM(click_count) AS n FROM ${source(d)} GROUP BY 1, 2, 3, 4) ${alias}`
  return `SELECT a.advertiser_id, b.advertiser_id AS other, COUNT(*) AS n FROM ${side('a')} ${type} ${side('b')}${on} GROUP BY 1, 2`
}

function withClause(d: Dice, depth: number): string {
  const name = d.one(
    'clicks',
    '"clicks"',
    'speed_minutes',
    'batch_minutes',
    'q1',
    't1',
    '"clicks_hour"',
    'clicks_speed',
  )
  const body = d.one(
    plain(d, 0),
    `SELECT 'foreign' AS advertiser_id, * FROM clicks`,
    'SELECT * FROM clicks',
  )
  return `WITH ${name} AS (${body}) ${d.chance(0.5) ? query(d, depth) : `SELECT * FROM ${name}`}`
}

const whole = (d: Dice): string =>
  d.one(
    () => `EXPLAIN PLAN FOR ${plain(d, 0)}`,
    () => `INSERT INTO clicks ${plain(d, 0)} PARTITIONED BY ALL`,
    () => `REPLACE INTO clicks OVERWRITE ALL ${plain(d, 0)} PARTITIONED BY ALL`,
    () => `SET sqlTimeZone = 'UTC'; ${plain(d, 0)}`,
    () => `${plain(d, 0)}; ${plain(d, 0)}`,
    () => `SELECT * FROM clicks /* /* */ WHERE 1=1 OR */ advertiser_id = ${foreign}`,
    () => `{"queryType":"scan","dataSource":"clicks_batch"}`,
    () => `DROP TABLE clicks`,
    () => `COPY (SELECT * FROM batch_minutes) TO '/tmp/x'`,
    () => `ATTACH 'x.db'`,
  )()

function query(d: Dice, depth: number): string {
  const kind = d.below(20)
  if (kind < 9) return plain(d, depth)
  if (kind < 12) return join(d)
  if (kind < 15 && depth > 0) return withClause(d, depth - 1)
  if (kind < 18 && depth > 0) {
    return `${plain(d, 0)} ${d.one('UNION ALL', 'UNION ALL', 'UNION ALL', 'UNION', 'INTERSECT', 'EXCEPT')} ${plain(d, 0)}`
  }
  return kind === 19 ? whole(d) : plain(d, 0)
}

/** The next statement. No LIMIT: which rows it leaves is nobody's promise. */
export function hostileStatement(d: Dice): Asked {
  const sql = query(d, 2)
  const places = sql.split('?').length - 1
  const value = () =>
    d.one("' OR 1=1 --", 'foreign', "foreign-ad-1'; --", "') UNION ALL SELECT 1 --")
  const context = d.chance(0.03)
    ? { [d.one('dataSource', 'sqlQueryId', 'plannerStrategy', 'inSubQueryThreshold')]: 'x' }
    : {}
  return {
    sql,
    parameters: Array.from({ length: places }, () => ({ type: 'VARCHAR', value: value() })),
    context,
  }
}
