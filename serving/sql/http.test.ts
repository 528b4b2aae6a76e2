// The gateway as a client sees it: formats, headers, keys, errors.
import test, { type ExecutionContext } from 'ava'
import { limits } from '#schemas/limits.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { publishRun } from '../testing/publish.ts'
import { openEmbedded } from './testing/embedded.ts'
import { fixtureRequests } from './testing/fixtures.ts'
import { openSqlServing } from './testing/instance.ts'
import { boundary } from './testing/rig.ts'

async function open(t: ExecutionContext) {
  const fixture = await openSqlServing(t, await openEmbedded(t), ['adv-1', 'adv-2'])
  const post = (
    payload: object | string,
    as?: Parameters<typeof fixture.inject>[1],
    url = '/druid/v2/sql',
  ) =>
    fixture.inject(
      { method: 'POST', url, payload, headers: { 'content-type': 'application/json' } },
      as,
    )
  return { ...fixture, post }
}

const perAdvertiser =
  'SELECT advertiser_id AS a, COUNT(*) > 0 AS x FROM clicks GROUP BY 1 ORDER BY 1'

test.serial('every format of the result, on both paths', async (t) => {
  const { post } = await open(t)
  const types = { header: true, typesHeader: true, sqlTypesHeader: true }
  const body = async (format: string, more = {}) =>
    (await post({ query: perAdvertiser, resultFormat: format, ...more }, 'admin', '/druid/v2/sql/'))
      .body
  t.is(await body('object'), '[{"a":"adv-1","x":true},{"a":"adv-2","x":true}]\n')
  t.is(await body('array'), '[["adv-1",true],["adv-2",true]]\n')
  t.is(await body('objectLines'), '{"a":"adv-1","x":true}\n{"a":"adv-2","x":true}\n\n')
  t.is(await body('arrayLines'), '["adv-1",true]\n["adv-2",true]\n\n')
  t.is(await body('csv', { header: true }), 'a,x\nadv-1,true\nadv-2,true\n\n')
  t.is(
    await body('array', types),
    '[["a","x"],["STRING","LONG"],["VARCHAR","BOOLEAN"],["adv-1",true],["adv-2",true]]\n',
  )
  t.deepEqual(JSON.parse(await body('object', types))[0], {
    a: { type: 'STRING', sqlType: 'VARCHAR' },
    x: { type: 'LONG', sqlType: 'BOOLEAN' },
  })
  t.is(
    await body('csv', { header: true, query: `SELECT 'a,"b"' AS "x,y"` }),
    '"x,y"\n"a,""b"""\n\n',
  )
  t.is(await body('object', { query: 'SELECT ad_id FROM clicks WHERE FALSE' }), '[]\n')
  t.is(
    await body('array', {
      query: `SELECT TIMESTAMP '2026-11-22 00:00:00' AS t`,
      context: { sqlTimeZone: 'Asia/Kolkata' },
    }),
    '[["2026-11-22T00:00:00.000+05:30"]]\n',
  )
})

test.serial('what is no longer kept by minute is refused with what helps', async (t) => {
  const { post, catalogue } = await open(t)
  await catalogue.query('INSERT INTO dropped_days (grain, day, recorded_at) VALUES ($1, $2, $3)', [
    'minute',
    boundary - (boundary % dayMs),
    0,
  ])
  const ask = (table: string, unit: string) =>
    post(
      {
        query: `SELECT FLOOR(__time TO ${unit}) AS t, SUM(click_count) AS n FROM ${table} GROUP BY 1`,
      },
      'admin',
    )
  const refused = await ask('clicks', 'MINUTE')
  t.is(refused.statusCode, 422)
  t.regex(refused.body, /needs rows by minute.*__time >= .*clicks_hour/)
  for (const [table, unit] of [
    ['clicks', 'HOUR'],
    ['clicks_hour', 'MINUTE'],
    ['clicks_day', 'DAY'],
  ] as const) {
    t.is((await ask(table, unit)).statusCode, 200, `${table} by ${unit}`)
  }
})

test.serial('hours that are published for the first time count from then on', async (t) => {
  const { post, catalogue } = await open(t)
  const midnight = boundary - (boundary % dayMs)
  const below = async (table: string) => {
    const query = `SELECT FLOOR(__time TO HOUR) AS t, SUM(gross_click_count) AS n FROM ${table} GROUP BY 1`
    const rows: { t: string }[] = (await post({ query }, 'admin')).json()
    const times = rows.map((row) => Date.parse(row.t))
    return {
      today: times.filter((at) => at >= midnight && at < boundary).length,
      all: times.length,
    }
  }
  const before = await below('clicks')
  t.true(before.today > 0 && before.all > before.today)
  await publishRun({ catalogue }, 'run-2', boundary - hourMs, 'publishing')
  for (const table of ['clicks', 'clicks_hour']) {
    t.deepEqual(await below(table), { today: 0, all: before.all - before.today }, table)
  }
  await catalogue.query("UPDATE runs SET status = 'done'")
  t.deepEqual(await below('clicks'), before)
})

test.serial('INFORMATION_SCHEMA shows the logical tables and nothing else', async (t) => {
  const { post } = await open(t)
  const rows = async (query: string) =>
    (await post({ query, resultFormat: 'array' }, 'advertiser')).json()
  t.deepEqual(
    await rows(
      "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'druid' ORDER BY 1",
    ),
    [['clicks'], ['clicks_day'], ['clicks_hour']],
  )
  t.deepEqual(await rows('SELECT SCHEMA_NAME FROM INFORMATION_SCHEMA.SCHEMATA ORDER BY 1'), [
    ['INFORMATION_SCHEMA'],
    ['druid'],
  ])
  const columns = await rows(
    "SELECT COLUMN_NAME, DATA_TYPE, JDBC_TYPE FROM information_schema.columns WHERE TABLE_NAME = 'clicks'",
  )
  t.deepEqual(columns[0], ['__time', 'TIMESTAMP', 93])
  t.false(JSON.stringify(columns).includes('layer'))
})

test.serial('a key as a bearer token or as a password of HTTP Basic, and its tenant', async (t) => {
  const { app, keys, post } = await open(t)
  const basic = (password: string) => ({
    authorization: `Basic ${Buffer.from(`anybody:${password}`).toString('base64')}`,
  })
  const as = (headers: Record<string, string>) =>
    app.inject({ method: 'POST', url: '/druid/v2/sql', payload: { query: perAdvertiser }, headers })
  t.deepEqual((await as(basic(keys.advertiser))).json(), [{ a: 'adv-1', x: true }])
  t.deepEqual((await post({ query: perAdvertiser }, 'other')).json(), [{ a: 'adv-2', x: true }])
  t.is((await post({ query: perAdvertiser }, 'engineer')).json().length, 2)
  const none = await as(basic('wrong'))
  t.is(none.statusCode, 401)
  t.is(none.json().error, 'druidException')
  t.is((await as({})).statusCode, 401)
})

test.serial('a statement that reads clicks is in the audit log, others are not', async (t) => {
  const { post, catalogue } = await open(t)
  await post({ query: 'SELECT 1 AS one' }, 'advertiser')
  await post({ query: perAdvertiser, resultFormat: 'csv' }, 'advertiser')
  const rows = await catalogue.query<{ action: string; detail: string }>(
    "SELECT action, detail FROM audit_log WHERE action LIKE '%.export'",
  )
  t.deepEqual(
    rows.map(({ action, detail }) => ({ action, ...JSON.parse(detail) })),
    [{ action: 'sql.export', format: 'csv', statement: perAdvertiser }],
  )
})

test.serial('headers say how far the answer is final', async (t) => {
  const { post } = await open(t)
  const { headers } = await post({ query: 'SELECT SUM(click_count) FROM clicks' }, 'advertiser')
  t.is(headers['x-clickledger-boundary'], new Date(boundary).toISOString())
  t.is(headers['x-clickledger-degraded'], 'true', 'no speed layer has reported')
  const past = "SELECT SUM(click_count) FROM clicks WHERE __time < TIMESTAMP '2026-11-22 04:00:00'"
  t.is((await post({ query: past }, 'advertiser')).headers['x-clickledger-degraded'], 'false')
})

test.serial('what is refused, in the shape that clients read, with a reason', async (t) => {
  const { post } = await open(t)
  const told = async (payload: object | string) => {
    const { statusCode, body } = await post(payload, 'advertiser')
    const { error, errorMessage, errorClass } = JSON.parse(body)
    t.true(statusCode >= 400 && statusCode < 500, `${statusCode} ${body.slice(0, 300)}`)
    t.true([error, errorMessage, errorClass].every((text) => typeof text === 'string'))
    return errorMessage as string
  }
  const sql = (query: string, more = {}) => told({ query, ...more })
  t.regex(await sql('SELECT * FROM sys.segments'), /no table sys\.segments/)
  t.regex(await sql('SELECT * FROM clicks_batch'), /no table clicks_batch/)
  t.regex(await sql('SELECT * FROM lookup.x'), /no table lookup\.x/)
  t.regex(await sql("SELECT * FROM TABLE(EXTERN('{}', '{}', '[]'))"), /only tables/)
  t.regex(await sql('INSERT INTO clicks SELECT * FROM clicks PARTITIONED BY ALL'), /Only SELECT/)
  t.regex(await sql('REPLACE INTO x OVERWRITE ALL SELECT 1 PARTITIONED BY ALL'), /Only SELECT/)
  t.regex(await sql('EXPLAIN PLAN FOR SELECT 1'), /EXPLAIN/)
  t.regex(await sql("SELECT LOOKUP(ad_id, 'x') FROM clicks"), /LOOKUP is not supported/)
  t.regex(await sql('SELECT unique_user_count FROM clicks'), /sketch/)
  t.regex(await sql('SELECT layer FROM clicks'), /no column layer/)
  t.regex(await sql('SELECT 1 UNION SELECT 2'), /line 1, column 16/)
  t.regex(await sql('SELECT ?'), /1 of \?/)
  t.regex(await sql('SELECT 1', { resultFormat: 'xml' }), /resultFormat/)
  t.regex(await sql('SELECT 1', { context: { dataSource: 'x' } }), /context key dataSource/)
  t.regex(await sql('SELECT 1', { context: { sqlTimeZone: 'Mars' } }), /sqlTimeZone/)
  t.regex(await told({ queryType: 'scan', dataSource: 'clicks_batch' }), /field dataSource/)
  t.regex(await sql('SELECT 1', { queryType: 'scan' }), /native queries/)
  t.regex(await told('{"query":'), /JSON/)
  t.regex(await told('[]'), /JSON object/)
})

test.serial('statements that are large or deep end in a 4xx in bounded time', async (t) => {
  const { post } = await open(t)
  const half = 60_000
  const bad = {
    'a megabyte': `SELECT '${'x'.repeat(1_000_000)}'`,
    'just above': `SELECT '${'x'.repeat(limits.sqlBytesMax)}'`,
    'open brackets': `SELECT ${'('.repeat(half)}`,
    brackets: `SELECT ${'('.repeat(half / 2 - 10)}1${')'.repeat(half / 2 - 10)}`,
    functions: `SELECT ${'ABS('.repeat(400)}1${')'.repeat(400)}`,
    'sub-queries': `${'SELECT * FROM ('.repeat(400)}SELECT 1${') t'.repeat(400)}`,
    nots: `SELECT ${'NOT '.repeat(10_000)}TRUE`,
    unions: Array(200).fill('SELECT SUM(click_count) FROM clicks').join(' UNION ALL '),
    'a list': `SELECT 1 FROM clicks WHERE ad_id IN (${Array(25_000).fill('1').join(',')})`,
    spaces: `SELECT ${' '.repeat(half)} 1 x y`,
    dashes: `SELECT ${'-'.repeat(half)}`,
    quotes: `SELECT ${"'".repeat(half + 1)}`,
    words: `SELECT ${'a '.repeat(half / 2)}`,
    columns: `SELECT ${Array(600).fill('1').join(', ')}`,
    withs: `WITH a0 AS (SELECT * FROM clicks), ${Array.from({ length: 20 }, (_, i) => `a${i + 1} AS (SELECT x.* FROM a${i} x, a${i} y)`).join(', ')} SELECT * FROM a20`,
  }
  for (const [what, query] of Object.entries(bad)) {
    const begun = process.threadCpuUsage()
    const { statusCode, body } = await post({ query }, 'advertiser')
    const { user, system } = process.threadCpuUsage(begun)
    const tookMs = Math.round((user + system) / 1_000)
    t.true(statusCode >= 400 && statusCode < 500, `${what}: ${statusCode} ${body.slice(0, 200)}`)
    t.true(tookMs < 3_000, `${what}: ${tookMs} ms of this thread`)
    t.log(`${what}: ${statusCode} in ${tookMs} ms`)
  }
})

test.serial('many rows flow, and too many are refused', async (t) => {
  const { post } = await open(t)
  const rows = (factor: string) =>
    `SELECT a.__time AS t, b.ad_id, ${factor} AS n FROM clicks a, clicks b`
  const all = await post({ query: rows('1'), resultFormat: 'array' }, 'admin')
  t.is(all.statusCode, 200)
  t.true(all.json().length > 5_000)
  const some = await post({ query: rows('1'), context: { sqlOuterLimit: 3 } }, 'admin')
  t.is(some.json().length, 3)
})

test.serial('what Superset and Grafana send is answered', async (t) => {
  const { post } = await open(t)
  for (const { what, body } of fixtureRequests) {
    const answer = await post(body, 'advertiser')
    t.is(answer.statusCode, 200, `${what}: ${body.query}: ${answer.body.slice(0, 300)}`)
    t.true(answer.json().length > 0 || /WHERE FALSE/i.test(body.query), `${what}: ${body.query}`)
  }
})
