// What the gateway promises, on either store: the same answers as a naive count of the clicks that each
// side of the boundary shows, whatever the grain that they are read from.
import type { ExecutionContext, TestFn } from 'ava'
import type { Interval } from '#core/boundary.ts'
import { bucketStart } from '#core/buckets.ts'
import type { Granularity } from '#core/report-query.ts'
import type { SqlValue } from '#core/sql.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { seed } from '../../../tests/support/random-clicks.ts'
import { type Asked, ask, boundary, clicksOf, fill, type LoadParts, pinnedFor } from './rig.ts'

type Clicks = readonly JudgedClick[]
type Row = readonly SqlValue[]

interface Case extends Asked {
  readonly title: string
  readonly timeZone?: string
  /** In the order of the answer, or else rows are compared as a set. */
  readonly ordered?: true
  readonly rows: (clicks: Clicks) => readonly Row[]
}

const iso = (time: number) => new Date(time).toISOString()
const valid = (clicks: Clicks) => clicks.filter((c) => c.status === 'valid').length
const uniques = (clicks: Clicks, field: 'visitor' | 'ip_hash') =>
  new Set(clicks.filter((c) => c.status === 'valid' && c[field] !== '').map((c) => c[field])).size
const minute = (c: JudgedClick) => c.event_time - (c.event_time % minuteMs)
const floor =
  (granularity: Granularity, zone = 'UTC') =>
  (c: JudgedClick) =>
    iso(bucketStart(c.event_time, granularity, zone))

/** Rows of groups: the key's parts, and what is counted. */
const grouped = (
  clicks: Clicks,
  key: (c: JudgedClick) => SqlValue,
  count: (group: Clicks) => readonly SqlValue[],
): Row[] => [...Map.groupBy(clicks, key)].map(([k, group]) => [k, ...count(group)])

const newYork = 'America/New_York'

const cases: readonly Case[] = [
  {
    title: 'a line by hour',
    sql: `SELECT TIME_FLOOR(__time, 'PT1H') AS t, SUM(click_count) AS clicks, SUM(gross_click_count) AS gross
      FROM clicks GROUP BY 1`,
    rows: (clicks) => grouped(clicks, floor('hour'), (g) => [valid(g), g.length]),
  },
  {
    title: 'days of a time zone, in the order of their clicks',
    sql: `SELECT TIME_FLOOR("__time", 'P1D', NULL, '${newYork}') AS d, SUM("click_count") AS n
      FROM "druid"."clicks" WHERE __time >= TIMESTAMP '2026-11-01 00:00:00' GROUP BY 1 ORDER BY n DESC, d`,
    ordered: true,
    rows: (clicks) =>
      grouped(clicks, floor('day', newYork), (g) => [valid(g)]).sort(
        (a, b) => Number(b[1]) - Number(a[1]) || String(a[0]).localeCompare(String(b[0])),
      ),
  },
  {
    title: 'the time zone of the request',
    context: { sqlTimeZone: newYork },
    sql: `SELECT FLOOR(__time TO DAY) AS d, EXTRACT(HOUR FROM __time) AS h, SUM(click_count) AS n
      FROM clicks WHERE __time < TIMESTAMP '2026-11-22 01:00:00' GROUP BY 1, 2`,
    rows: (clicks) => {
      const until = Date.parse('2026-11-22T06:00:00Z')
      const local = (c: JudgedClick) => new Date(c.event_time - 5 * hourMs).getUTCHours()
      return [
        ...Map.groupBy(
          clicks.filter((c) => minute(c) < until),
          (c) => `${floor('day', newYork)(c)} ${local(c)}`,
        ),
      ].map(([key, g]) => [key.split(' ')[0] ?? '', Number(key.split(' ')[1]), valid(g)])
    },
  },
  {
    title: 'a range that no row lies on, with filters',
    sql: `SELECT country, SUM(click_count) AS n FROM clicks c
      WHERE c.__time > TIMESTAMP '2026-11-22 03:30:00' AND c.__time <= '2026-11-22T06:10:00Z'
        AND device_type IN ('mobile', 'x') AND ad_id LIKE '%ad-%' AND NOT publisher_id = 'pub-1'
      GROUP BY country HAVING SUM(gross_click_count) > 0`,
    rows: (clicks) =>
      grouped(
        clicks.filter(
          (c) =>
            minute(c) > boundary - 1.5 * hourMs &&
            minute(c) <= boundary + hourMs + 10 * minuteMs &&
            c.device_type === 'mobile' &&
            c.ad_id.includes('ad-') &&
            c.publisher_id !== 'pub-1',
        ),
        (c) => c.country,
        (g) => [valid(g)],
      ),
  },
  {
    title: 'uniques are merged, never added',
    sql: `SELECT country, APPROX_COUNT_DISTINCT_DS_HLL(unique_user_count) AS u,
        APPROX_COUNT_DISTINCT_DS_HLL(unique_ip_count) FILTER (WHERE device_type = 'mobile') AS m
      FROM clicks GROUP BY country`,
    rows: (clicks) =>
      grouped(
        clicks,
        (c) => c.country,
        (g) => [
          uniques(g, 'visitor'),
          uniques(
            g.filter((c) => c.device_type === 'mobile'),
            'ip_hash',
          ),
        ],
      ),
  },
  {
    title: 'sketches pass through sub-queries and WITH',
    sql: `WITH a AS (SELECT * FROM clicks) SELECT APPROX_COUNT_DISTINCT_DS_HLL(b.unique_user_count) AS u
      FROM (SELECT unique_user_count FROM a) b`,
    rows: (clicks) => [[uniques(clicks, 'visitor')]],
  },
  {
    title: 'a WITH that is called clicks hides the table, and its own text still sees it',
    sql: `WITH clicks AS (SELECT ad_id, SUM(click_count) AS advertiser_id FROM clicks GROUP BY ad_id)
      SELECT advertiser_id AS ad_id, ad_id AS advertiser_id FROM clicks AS clicks`,
    rows: (clicks) =>
      grouped(
        clicks,
        (c) => c.ad_id,
        (g) => [valid(g)],
      ).map(([ad, n]) => [n ?? 0, ad ?? '']),
  },
  {
    title: 'a join of two sub-queries',
    sql: `SELECT a.ad_id, a.n, b.m FROM (SELECT ad_id, SUM(click_count) AS n FROM clicks GROUP BY 1) a
      JOIN (SELECT ad_id, SUM(duplicate_click_count) AS m FROM clicks_hour GROUP BY 1) b ON a.ad_id = b.ad_id`,
    rows: (clicks) =>
      grouped(
        clicks,
        (c) => c.ad_id,
        (g) => [valid(g), g.filter((c) => c.status === 'duplicate').length],
      ),
  },
  {
    title: 'UNION ALL of two aggregates',
    sql: `SELECT SUM(click_count) AS n FROM clicks UNION ALL SELECT SUM(gross_click_count) FROM clicks_day`,
    rows: (clicks) => [[valid(clicks)], [clicks.length]],
  },
  {
    title: 'IN and scalar sub-queries',
    sql: `SELECT COUNT(DISTINCT ad_id) AS ads, SUM(gross_click_count) * 100 / (SELECT SUM(gross_click_count) FROM clicks) AS share
      FROM clicks WHERE ad_id IN (SELECT ad_id FROM clicks WHERE country = 'US' AND device_type = 'mobile')`,
    rows: (clicks) => {
      const ads = new Set(
        clicks.filter((c) => c.country === 'US' && c.device_type === 'mobile').map((c) => c.ad_id),
      )
      const some = clicks.filter((c) => ads.has(c.ad_id))
      return [[ads.size, Math.floor((some.length * 100) / clicks.length)]]
    },
  },
  {
    title: 'CASE, FILTER and division',
    sql: `SELECT SUM(CASE WHEN country = '' THEN gross_click_count ELSE 0 END) AS nowhere,
        SUM(gross_click_count) FILTER (WHERE country <> '') / 7 AS sevenths,
        SUM(fraudulent_click_count) * 1.0 / SUM(gross_click_count) AS share FROM clicks`,
    rows: (clicks) => {
      const nowhere = clicks.filter((c) => c.country === '').length
      const invalid = clicks.filter((c) => c.status === 'invalid').length
      return [[nowhere, Math.floor((clicks.length - nowhere) / 7), invalid / clicks.length]]
    },
  },
  {
    title: 'the tables by hour and by day',
    sql: `SELECT h.__time AS t, SUM(h.click_count) AS n FROM clicks_hour h GROUP BY h.__time
      UNION ALL SELECT d.__time, SUM(d.click_count) FROM clicks_day d GROUP BY d.__time`,
    rows: (clicks) => [
      ...grouped(clicks, floor('hour'), (g) => [valid(g)]),
      ...grouped(clicks, floor('day'), (g) => [valid(g)]),
    ],
  },
  {
    title: 'parameters, in the order of their places',
    sql: `SELECT ? AS word, SUM(gross_click_count) AS n FROM clicks WHERE country = ? AND __time >= ?`,
    parameters: [
      { type: 'VARCHAR', value: "it's é" },
      { type: 'VARCHAR', value: 'US' },
      { type: 'TIMESTAMP', value: '2026-11-22 05:00:00' },
    ],
    rows: (clicks) => [
      ["it's é", clicks.filter((c) => c.country === 'US' && c.event_time >= boundary).length],
    ],
  },
  {
    title: 'the first and the last minute',
    sql: 'SELECT MIN(__time) AS a, MAX(__time) AS b FROM clicks',
    rows: (clicks) => {
      const times = clicks.map(minute)
      return [[iso(Math.min(...times)), iso(Math.max(...times))]]
    },
  },
  {
    title: 'order, limit and offset',
    sql: `SELECT ad_id, country, SUM(gross_click_count) FROM clicks GROUP BY 1, 2
      ORDER BY SUM(gross_click_count) DESC, ad_id, country DESC LIMIT 3 OFFSET 1`,
    ordered: true,
    rows: (clicks) =>
      grouped(
        clicks,
        (c) => JSON.stringify([c.ad_id, c.country]),
        (g) => [g.length],
      )
        .map(([key, n]) => [...(JSON.parse(String(key)) as string[]), Number(n)])
        .sort(
          (a, b) =>
            Number(b[2]) - Number(a[2]) ||
            Buffer.compare(Buffer.from(String(a[0])), Buffer.from(String(b[0]))) ||
            String(b[1]).localeCompare(String(a[1])),
        )
        .slice(1, 4),
  },
  {
    title: 'as Superset asks',
    sql: `SELECT TIME_FLOOR(CAST("__time" AS TIMESTAMP), 'PT1H') AS "__timestamp", SUM("click_count") AS "SUM(click_count)"
      FROM "druid"."clicks" WHERE "__time" >= CAST(TIME_PARSE('2026-11-22T00:00:00') AS TIMESTAMP)
        AND "__time" < CAST(TIME_PARSE('2026-11-23T00:00:00') AS TIMESTAMP)
      GROUP BY TIME_FLOOR(CAST("__time" AS TIMESTAMP), 'PT1H') ORDER BY "SUM(click_count)" DESC LIMIT 10000`,
    rows: (clicks) =>
      grouped(
        clicks.filter((c) => c.event_time >= Date.UTC(2026, 10, 22)),
        floor('hour'),
        (g) => [valid(g)],
      ),
  },
  {
    title: 'values that no row is asked for',
    sql: `SELECT 7 / 2 AS a, 7.0 / 2 AS b, MOD(7, 3) AS c, CAST(2.7 AS BIGINT) AS d, 'a' || 'é' AS e,
        UPPER('bc') AS f, CONTAINS_STRING('abc', 'b') AS g, NVL(NULL, 'x') AS h,
        TIMESTAMP '2026-11-22 10:30:00' + INTERVAL '1' DAY AS i,
        TIME_SHIFT(TIMESTAMP '2026-01-31 00:00:00', 'P1M', 1) AS j,
        TIMESTAMPDIFF(HOUR, TIMESTAMP '2026-11-22 10:00:00', TIMESTAMP '2026-11-22 12:30:00') AS k,
        TIME_EXTRACT(TIMESTAMP '2026-11-22 10:00:00', 'DOW') AS l,
        TIME_FORMAT(TIMESTAMP '2026-11-22 10:00:00', 'yyyy-MM-dd HH:mm', '${newYork}') AS m,
        CAST(TIMESTAMP '2026-11-22 10:00:00' AS VARCHAR) AS n,
        TIME_FLOOR(TIMESTAMP '2026-11-22 10:44:00', 'PT6H', NULL, '${newYork}') AS o,
        MILLIS_TO_TIMESTAMP(0) AS p, TIMESTAMP_TO_MILLIS(TIMESTAMP '1970-01-01 00:00:01') AS q,
        STRPOS('abc', 'c') AS r, REGEXP_LIKE('abc', 'b.') AS s, CEIL(2.1) AS u`,
    rows: () => [
      [
        ...[3, 3.5, 1, 2, 'aé', 'BC', true, 'x', '2026-11-23T10:30:00.000Z'],
        ...['2026-02-28T00:00:00.000Z', 2, 7, '2026-11-22 05:00', '2026-11-22 10:00:00'],
        ...['2026-11-22T05:00:00.000Z', '1970-01-01T00:00:00.000Z', 1000, 3, true, 3],
      ],
    ],
  },
]

const sorted = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row)).sort()

export function testSqlGateway(
  test: TestFn,
  name: string,
  open: (t: ExecutionContext) => Promise<LoadParts>,
): void {
  test(`${name}: statements answer like the naive model, each tenant its own`, async (t) => {
    t.log(`seed ${seed}`)
    const parts = await open(t)
    const of = (tenants: readonly string[], salt: number) =>
      tenants.flatMap((one, i) => clicksOf(one, 150, seed + salt + i))
    const [batch, speed] = [of(['mine', 'foreign'], 1), of(['mine', 'foreign'], 11)]
    await fill(parts, batch, speed)
    const visible = [
      ...batch.filter((c) => c.event_time < boundary),
      ...speed.filter((c) => c.event_time >= boundary),
    ]
    // Whole days of the batch view, with something before and behind.
    const arriving = { start: Date.UTC(2026, 10, 21), end: Date.UTC(2026, 10, 22) }
    const views: { tenant?: string; arriving?: Interval }[] = [{ tenant: 'mine' }, {}, { arriving }]
    for (const one of cases) {
      for (const { tenant, arriving } of views) {
        const zone = one.context?.sqlTimeZone
        const pinned = {
          ...pinnedFor(tenant, typeof zone === 'string' ? zone : 'UTC'),
          arriving: arriving ? [arriving] : [],
        }
        const shown = visible
          .filter((c) => tenant === undefined || c.advertiser_id === tenant)
          .filter((c) => !arriving || minute(c) < arriving.start || minute(c) >= arriving.end)
        const title = `${one.title}, as ${tenant ?? 'an operator'}${arriving ? ', a day is arriving' : ''}`
        const got = await ask(parts.store, one, pinned).catch((error: Error) => {
          t.fail(`${title}: ${error.message}`)
          return []
        })
        const want = one.rows(shown)
        if (one.ordered) t.deepEqual(got, want as SqlValue[][], title)
        else t.deepEqual(sorted(got), sorted(want), title)
      }
    }
  })
}
