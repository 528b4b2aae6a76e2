import test, { type ExecutionContext } from 'ava'
import { parse } from 'csv-parse/sync'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { until } from '#platform/wait.ts'
import { limits } from '#schemas/limits.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { boundary, type Fixture, openFixture } from '../testing/fixture.ts'
import { publishRun } from '../testing/publish.ts'

const timeseries = '/v1/reports/clicks/timeseries'
const query = {
  granularity: 'minute',
  dimensions: 'city,country',
  metrics: 'click_count,unique_user_count',
}
const texts = ['', 'a,b', '"quoted"', 'two\r\nlines', '=SUM(A1)', 'Łódź', "L'Aquila"]

function fill({ olap }: Fixture) {
  for (let i = 0; i < 240; i++) {
    const event_time = boundary - 2 * hourMs + i * minuteMs
    const click = { event_time, status: 'valid', visitor: `v${i % 5}` } as const
    const city = texts[i % texts.length] ?? ''
    ;(event_time < boundary ? olap.batch : olap.speed).push({ ...click, city, country: 'IL' })
  }
}

const get = (fixture: Fixture, more: Record<string, string>, accept = '*/*') =>
  fixture.inject({ url: timeseries, query: { ...query, ...more }, headers: { accept } }, 'admin')

/** The same request over a socket. */
async function overHttp(t: ExecutionContext, { app, keys }: Fixture, more: Record<string, string>) {
  const url = new URL(timeseries, await app.listen({ host: '127.0.0.1', port: 0 }))
  url.search = String(new URLSearchParams({ ...query, ...more }))
  const headers = { authorization: `Bearer ${keys.admin}` }
  const again = async () => {
    const leaving = new AbortController()
    t.teardown(() => leaving.abort())
    return { answer: await fetch(url, { headers, signal: leaving.signal }), leaving }
  }
  return { ...(await again()), again }
}

test('CSV and Parquet have the rows of JSON', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const cases: Record<string, string>[] = [
    {},
    { compare_to: 'previous_period' },
    { order: '-time', limit: '7' },
  ]
  for (const more of cases) {
    const { data, meta } = (await get(fixture, more)).json()
    const csv = await get(fixture, { ...more, format: 'csv' })
    t.is(csv.headers['content-type'], 'text/csv; charset=utf-8')
    t.regex(
      String(csv.headers['content-disposition']),
      /^attachment; filename="clicks-\w+-\w+\.csv"$/,
    )
    t.is(JSON.parse(String(csv.headers['clickledger-meta'])).boundary, meta.boundary)
    const rows: Record<string, string>[] = parse(csv.body, { columns: true })
    const asText = (row: Record<string, string | number>) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, String(value).replace(/^=/, "'=")]),
      )
    t.deepEqual(rows, data.map(asText))
    const parquet = await get(fixture, more, 'application/vnd.apache.parquet, */*;q=0.1')
    t.is(parquet.headers['content-type'], 'application/vnd.apache.parquet')
    const file = new Uint8Array(parquet.rawPayload).buffer
    const found: Record<string, unknown>[] = await parquetReadObjects({ file })
    const plain: Record<string, unknown>[] = found.map((row) => ({
      ...row,
      ...{ time: (row.time as Date).toISOString(), click_count: Number(row.click_count) },
    }))
    t.deepEqual(
      plain.map((row) => JSON.stringify([row.time, row.city, row.click_count, row.provenance])),
      data.map((row: Record<string, unknown>) =>
        JSON.stringify([row.time, row.city, row.click_count, row.provenance]),
      ),
    )
    const [kept] = parquetMetadata(file).key_value_metadata ?? []
    t.is(JSON.parse(kept?.value ?? '').boundary, meta.boundary)
  }
})

test('an export is audited, has a tag of its own, and 304 costs no query', async (t) => {
  const fixture = await openFixture(t)
  fill(fixture)
  const csv = await get(fixture, { format: 'csv', completeness: 'final' })
  const json = await get(fixture, { completeness: 'final' })
  t.not(csv.headers.etag, json.headers.etag)
  const [entry] = await fixture.catalogue.query<{
    action: string
    subject: string
    detail: string
  }>("SELECT action, subject, detail FROM audit_log WHERE action LIKE '%.export'")
  t.like(entry, { action: 'reports.export' })
  t.like(JSON.parse(entry?.detail ?? ''), { format: 'csv', dimensions: ['city', 'country'] })
  const asked = fixture.olap.queries.length
  const again = await fixture.inject(
    {
      ...{ url: timeseries, query: { ...query, format: 'csv', completeness: 'final' } },
      headers: { 'if-none-match': String(csv.headers.etag) },
    },
    'admin',
  )
  t.is(again.statusCode, 304)
  t.is(fixture.olap.queries.length, asked)
})

/** Rows without end: each page goes on where the one before ended. */
function endless({ olap }: Fixture) {
  const pages: number[] = []
  olap.query = async ({ after, limit }) => {
    const first = after ? Number(after[1]) + 1 : 0
    pages.push(first)
    return Array.from({ length: limit }, (_, i) => ({
      time: boundary - hourMs,
      dimensions: { city: String(first + i).padStart(9, '0') },
      metrics: { click_count: 1 },
    }))
  }
  return pages
}

const long = { dimensions: 'city', metrics: 'click_count', format: 'csv' }

test('a client that does not read gets no more than fits; those that leave end it', async (t) => {
  const fixture = await openFixture(t)
  const pages = endless(fixture)
  const { again, ...first } = await overHttp(t, fixture, long)
  await first.answer.body?.getReader().read()
  t.true(pages.length * 20_000 < limits.exportRowsMax / 4, `${pages.length} pages`)
  const exportsMax = 8
  const open = [first] // an answer that nobody holds is closed
  for (let i = 1; i < exportsMax; i++) open.push(await again())
  t.is((await get(fixture, { ...long, limit: '10' })).statusCode, 429)
  for (const { leaving } of open) leaving.abort()
  await until(async () => (await get(fixture, { ...long, limit: '10' })).statusCode === 200, {
    what: 'another export is answered',
  })
})

test('pages of an export follow each other, and a limit ends it', async (t) => {
  const fixture = await openFixture(t)
  const pages = endless(fixture)
  const { body } = await get(fixture, { ...long, limit: '120000' })
  t.deepEqual(pages, [0, 20_000, 40_000, 60_000, 80_000, 100_000])
  t.is(body.trimEnd().split('\r\n').length, 120_001)
})

test('an export breaks off where its numbers are published anew', async (t) => {
  const fixture = await openFixture(t)
  const pages = endless(fixture)
  const ask = fixture.olap.query
  fixture.olap.query = async (q) => {
    if (pages.length === 2) await publishRun(fixture, 'run-1', boundary - hourMs)
    return ask(q)
  }
  const { answer } = await overHttp(t, fixture, { ...long, limit: '4000000' })
  t.is(answer.status, 200)
  await t.throwsAsync(answer.text())
})

test('a rank above the boundary that does not fit is refused before anything is sent', async (t) => {
  const fixture = await openFixture(t)
  endless(fixture)
  const ranked = { ...long, granularity: 'all', order: '-click_count' }
  const answer = await get(fixture, ranked)
  t.is(answer.statusCode, 422)
  t.regex(answer.json().detail, /^order: /)
  t.is((await get(fixture, { ...ranked, limit: '10' })).statusCode, 200)
})

test('what fails before the first row is a problem', async (t) => {
  const fixture = await openFixture(t)
  fixture.olap.before = () => Promise.reject(new Error('away'))
  const answer = await get(fixture, { format: 'parquet' })
  t.is(answer.statusCode, 503)
  t.regex(String(answer.headers['content-type']), /problem\+json/)
  const tooMany = await get(fixture, { format: 'csv', limit: '5000001' })
  t.is(tooMany.statusCode, 400)
  const json = await get(fixture, { limit: '50001' })
  t.regex(
    json.json().detail,
    /^limit must be <= 50000 for json; csv and parquet take up to 5000000/,
  )
})
