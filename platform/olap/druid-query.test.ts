import test from 'ava'
import type { ReportQuery } from '#core/report-query.ts'
import { hourMs } from '#schemas/paths.ts'
import { readSettings } from '../config.ts'
import { compileDruidQuery, toReportRow } from './druid-query.ts'
import { druidNames } from './druid-specs.ts'

const start = Date.UTC(2026, 0, 5)
const names = druidNames(readSettings({ CLICKLEDGER_NAMESPACE: 'ns' }))
const query: ReportQuery = {
  start,
  end: start + 24 * hourMs,
  boundary: start + 12 * hourMs,
  granularity: 'hour',
  timeZone: 'Asia/Kolkata',
  dimensions: ['ad_id'],
  filters: [],
  metrics: ['click_count', 'unique_user_count'],
  limit: 10,
}

test('a query across the boundary reads each view on its side', (t) => {
  t.is(
    compileDruidQuery(query, names).sql,
    `SELECT TIME_FLOOR(__time, 'PT1H', NULL, 'Asia/Kolkata'), COALESCE("ad_id", ''), SUM("click_count") AS "click_count", APPROX_COUNT_DISTINCT_DS_HLL("unique_user_count") AS "unique_user_count"
FROM TABLE(APPEND('ns_clicks_batch', 'ns_clicks_speed')) WHERE __time >= TIMESTAMP '2026-01-05 00:00:00.000' AND __time < TIMESTAMP '2026-01-06 00:00:00.000'
    AND ((layer = 'batch' AND (__time >= TIMESTAMP '2026-01-05 00:00:00.000' AND __time < TIMESTAMP '2026-01-05 12:00:00.000')) OR (layer = 'speed' AND (__time >= TIMESTAMP '2026-01-05 12:00:00.000' AND __time < TIMESTAMP '2026-01-06 00:00:00.000')))
GROUP BY 1, 2
ORDER BY 1, 2
LIMIT 10`,
  )
})

test('a query reads every grain in its ranges', (t) => {
  const year = {
    ...query,
    start: start - 2 * 24 * hourMs - hourMs / 2,
    end: start + 12 * hourMs,
    granularity: 'month' as const,
    timeZone: 'UTC',
  }
  const [, where = ''] = compileDruidQuery(year, names).sql.split('AND ((')
  t.is(
    where.split('\n')[0],
    [
      `layer = 'batch' AND (__time >= TIMESTAMP '2026-01-02 23:30:00.000' AND __time < TIMESTAMP '2026-01-03 00:00:00.000')) OR `,
      `(layer = 'day' AND (__time >= TIMESTAMP '2026-01-03 00:00:00.000' AND __time < TIMESTAMP '2026-01-05 00:00:00.000')) OR `,
      `(layer = 'hour' AND (__time >= TIMESTAMP '2026-01-05 00:00:00.000' AND __time < TIMESTAMP '2026-01-05 12:00:00.000')))`,
    ].join(''),
  )
})

test('a query of one view reads just that', (t) => {
  const below = compileDruidQuery({ ...query, boundary: query.end, timeZone: 'UTC' }, names).sql
  t.regex(below, /FROM "ns_clicks_hour" WHERE .* AND layer = 'hour'/)
  const above = compileDruidQuery({ ...query, boundary: query.start }, names).sql
  t.regex(above, /FROM "ns_clicks_speed" WHERE .* AND layer = 'speed'/)
})

test('values travel as parameters, and a prefix means its own signs', (t) => {
  const { sql, parameters } = compileDruidQuery(
    {
      ...query,
      filters: [
        { dimension: 'ad_id', kind: 'in', values: ["o'ad", ''] },
        { dimension: 'country', kind: 'not-in', values: ['US'] },
        { dimension: 'city', kind: 'prefix', values: ['100%_!'] },
      ],
    },
    names,
  )
  t.deepEqual(parameters, ["o'ad", '', 'US', '100!%!_!!%'])
  t.true(sql.includes(`AND ("ad_id" IN (?, ?) OR "ad_id" IS NULL)`))
  t.true(sql.includes(`AND ("country" NOT IN (?) OR "country" IS NULL)`))
  t.true(sql.includes(`AND ("city" LIKE ? ESCAPE '!')`))
})

test('a filter without values matches as none or all', (t) => {
  const where = (kind: 'in' | 'not-in' | 'prefix') =>
    compileDruidQuery({ ...query, filters: [{ dimension: 'ad_id', kind, values: [] }] }, names).sql
  t.regex(where('in'), /\nAND FALSE\n/)
  t.regex(where('not-in'), /\nAND TRUE\n/)
  t.regex(where('prefix'), /\nAND FALSE\n/)
})

test('a row is read back by the places of the query', (t) => {
  t.deepEqual(toReportRow(query, ['2026-01-05T18:30:00.000Z', 'ad-1', 7, null]), {
    time: Date.UTC(2026, 0, 5, 18, 30),
    dimensions: { ad_id: 'ad-1' },
    metrics: { click_count: 7, unique_user_count: 0 },
  })
  const all = { ...query, granularity: 'all' as const, dimensions: [] }
  t.deepEqual(toReportRow(all, [7, 3]), {
    time: start,
    dimensions: {},
    metrics: { click_count: 7, unique_user_count: 3 },
  })
})

test('the one row of everything is not sorted', (t) => {
  const order = [{ by: 'click_count', descending: true }] as const
  const { sql } = compileDruidQuery({ ...query, granularity: 'all', dimensions: [], order }, names)
  t.regex(sql, /GROUP BY \(\) HAVING COUNT\(\*\) > 0\nLIMIT 10$/)
})

test('a page of sums is cut after grouping, a page of keys before', (t) => {
  const dimensions = ['ad_id'] as const
  const byKeys = { ...query, dimensions, after: [Date.UTC(2026, 0, 5, 3), "ad'1"] }
  const keys = compileDruidQuery(byKeys, names)
  t.regex(keys.sql, /AND \(\(TIME_FLOOR\(.*\) > TIMESTAMP '2026-01-05 03:00:00.000'\) OR \(/)
  t.false(keys.sql.includes('HAVING'))
  t.deepEqual(keys.parameters, ["ad'1"])
  const order = [{ by: 'click_count', descending: true }] as const
  const bySums = { ...query, dimensions, order, after: [7, Date.UTC(2026, 0, 5, 3), 'ad-1'] }
  const sums = compileDruidQuery(bySums, names).sql
  t.regex(sums, /HAVING \(\(SUM\("click_count"\) < 7\) OR \(SUM\("click_count"\) = 7 AND /)
  t.regex(sums, /ORDER BY "click_count" DESC, 1, 2$/m)
})
