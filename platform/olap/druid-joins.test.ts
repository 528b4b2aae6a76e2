import test from 'ava'
import { pinnedFor, statementOf } from '../../serving/sql/testing/rig.ts'
import { subqueryRowsMax } from './druid-joins.ts'

const ads = '(SELECT ad_id, SUM(click_count) AS n FROM clicks GROUP BY ad_id)'
const pairs = '(SELECT ad_id, country, SUM(click_count) AS n FROM clicks GROUP BY 1, 2)'
const total = '(SELECT SUM(click_count) AS n FROM clicks)'
const maxOf = (sql: string) => subqueryRowsMax(statementOf({ sql }, pinnedFor('mine')).query)

const linear: Record<string, string> = {
  'no join': 'SELECT SUM(click_count) AS n FROM clicks',
  'the key of the right side': `SELECT a.n, b.n AS m FROM ${ads} a JOIN ${ads} b ON a.ad_id = b.ad_id`,
  'three times': `SELECT a.n FROM ${ads} a LEFT JOIN ${ads} b ON b.ad_id = a.ad_id JOIN ${ads} c ON c.ad_id = b.ad_id`,
  'the key, and more': `SELECT a.n FROM ${ads} a JOIN ${ads} b ON a.ad_id = b.ad_id AND a.n > b.n`,
  'the key stands in WHERE': `SELECT a.n FROM ${ads} a, ${ads} b WHERE a.ad_id = b.ad_id`,
  'both keys': `SELECT a.n FROM ${pairs} a JOIN ${pairs} b ON a.ad_id = b.ad_id AND a.country = b.country`,
  'clicks with a grouped table': `SELECT SUM(c.click_count) AS n FROM clicks c JOIN ${ads} a ON c.ad_id = a.ad_id`,
  'a single row': `SELECT a.n * 100 / b.n AS share FROM ${ads} a, ${total} b`,
  'the first row': `SELECT a.n FROM ${ads} a, (SELECT n FROM ${ads} x ORDER BY n LIMIT 1) b`,
  'distinct values': `SELECT a.n FROM ${ads} a JOIN (SELECT DISTINCT ad_id FROM clicks) b ON a.ad_id = b.ad_id`,
  'a single value': `SELECT a.n FROM ${ads} a, ${ads} b WHERE b.ad_id = (SELECT MAX(ad_id) FROM clicks)`,
  'by WITH': `WITH b AS (SELECT ad_id, SUM(click_count) AS n FROM clicks GROUP BY 1) SELECT a.n FROM b a JOIN b ON a.ad_id = b.ad_id`,
}

for (const [what, sql] of Object.entries(linear)) {
  test(`Druid's own limit is enough: ${what}`, (t) => t.is(maxOf(sql), undefined))
}

const multiplied: Record<string, readonly [factors: number, sql: string]> = {
  'no condition': [2, `SELECT a.n FROM ${ads} a, ${ads} b`],
  'a part of the key': [2, `SELECT a.n FROM ${ads} a JOIN ${pairs} b ON a.ad_id = b.ad_id`],
  'no key': [2, `SELECT a.n FROM ${ads} a JOIN ${ads} b ON a.n = b.n`],
  'no equality': [2, `SELECT a.n FROM ${ads} a, ${ads} b WHERE a.ad_id < b.ad_id`],
  'one or the other': [
    2,
    `SELECT a.n FROM ${ads} a, ${ads} b WHERE a.ad_id = b.ad_id OR a.n = b.n`,
  ],
  'a column of itself': [2, `SELECT a.n FROM ${ads} a, ${ads} b WHERE b.ad_id = b.ad_id`],
  'clicks with themselves': [
    2,
    'SELECT SUM(a.click_count) AS n FROM clicks a JOIN clicks b ON a.ad_id = b.ad_id',
  ],
  'the aggregate is of a sub-query': [
    2,
    `SELECT a.n FROM ${ads} a, (SELECT (SELECT SUM(click_count) FROM clicks) AS n FROM clicks) b`,
  ],
  'an outer join keeps all': [
    3,
    `SELECT a.n FROM ${ads} a LEFT JOIN ${ads} b ON a.n = b.n LEFT JOIN ${ads} c ON b.n = c.n WHERE a.ad_id = c.ad_id`,
  ],
  'the key waits for a table that comes later': [
    3,
    `SELECT a.n FROM ${ads} a, ${ads} b, ${ads} c WHERE b.ad_id = c.n`,
  ],
  'two that wait for each other': [
    2,
    `SELECT a.n FROM ${ads} a, ${pairs} b, ${ads} c WHERE b.ad_id = c.n AND b.country = c.n AND c.ad_id = b.ad_id`,
  ],
  'four, in a sub-query': [
    4,
    `SELECT SUM(x.n) AS n FROM (SELECT a.n FROM ${ads} a, ${ads} b, ${ads} c, ${ads} d) x`,
  ],
}

for (const [what, [factors, sql]] of Object.entries(multiplied)) {
  test(`rows are bounded: ${what}`, (t) => {
    const max = maxOf(sql) ?? Number.POSITIVE_INFINITY
    const each = max / factors
    t.true(each ** factors <= 200_000_000, `${max} rows of ${factors} tables`)
    t.true((each + 1) ** factors > 199_000_000, 'and no more than that')
  })
}
