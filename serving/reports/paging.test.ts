import test from 'ava'
import fc from 'fast-check'
import type { DimensionName } from '#schemas/dimensions.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { boundary, type Fixture, openFixture, startNow } from '../testing/fixture.ts'
import { publishRun } from '../testing/publish.ts'

const timeseries = '/v1/reports/clicks/timeseries'
type Row = Record<string, string | number>

async function ask(
  { inject }: Fixture,
  query: Record<string, string>,
  as: 'admin' | 'other' = 'admin',
) {
  const answer = await inject({ url: timeseries, query }, as)
  return { status: answer.statusCode, headers: answer.headers, ...answer.json() }
}

const moveBoundary = ({ catalogue }: Fixture, id: number, to: number) =>
  catalogue.query(
    `INSERT INTO boundaries (boundary_id, boundary, published_at, published_by, reason, proof)
     VALUES ($1, $2, $3, 'test', '', '{}')`,
    [id, to, startNow],
  )

const cities = ['a', 'b', 'c', 'd', 'e', 'f']

test('however clicks and boundaries come between pages, every row of the first moment is there once', async (t) => {
  t.log(`seed ${seed}`)
  const arriving = fc.array(
    fc.record({
      minute: fc.integer({ min: 0, max: 240 }),
      city: fc.constantFrom(...cities),
      country: fc.constantFrom('US', 'IL'),
    }),
    { maxLength: 12 },
  )
  const scenario = fc.record({
    first: arriving,
    later: fc.array(arriving, { minLength: 8, maxLength: 8 }),
    sealsAt: fc.integer({ min: 0, max: 6 }),
    limit: fc.integer({ min: 1, max: 5 }),
    dimensions: fc.shuffledSubarray(['city', 'country'] as DimensionName[], { minLength: 1 }),
    order: fc.constantFrom('', 'time', '-time', 'city,-time', '-country'),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ first, later, sealsAt, limit, dimensions, order }) => {
      const fixture = await openFixture(t)
      const arrive = (clicks: typeof first) => {
        for (const { minute, ...fields } of clicks) {
          const event_time = boundary - 2 * hourMs + minute * minuteMs
          const side = event_time < boundary ? fixture.olap.batch : fixture.olap.speed
          side.push({ event_time, status: 'valid', ...fields })
        }
      }
      const keys = order.split(',').map((key) => key.replace('-', ''))
      const asked = [
        ...new Set([...dimensions, ...keys.filter((key) => !['', 'time'].includes(key))]),
      ]
      const query = {
        ...{ dimensions: asked.join(','), granularity: 'hour', metrics: 'click_count', order },
        start_time: new Date(boundary - 2 * hourMs).toISOString(),
        end_time: new Date(boundary + 3 * hourMs).toISOString(),
      }
      const keyOf = (row: Row) => [row.time, ...asked.map((name) => row[name])].join('|')
      arrive(first)
      const expected: string[] = (await ask(fixture, query)).data.map(keyOf)
      const seen: string[] = []
      let cursor: string | null = null
      for (let page = 0; page === 0 || cursor; page++) {
        const { data, meta } = await ask(fixture, {
          ...{ ...query, limit: String(limit) },
          ...(cursor ? { cursor } : {}),
        })
        t.is(meta.boundary, new Date(boundary).toISOString(), 'all pages are of one boundary')
        seen.push(...data.map(keyOf))
        cursor = meta.next
        // Late clicks of sealed hours wait for a run: only what is above the boundary arrives.
        arrive((later[page] ?? []).filter(({ minute }) => minute >= 120))
        if (page === sealsAt) await moveBoundary(fixture, 2, boundary + hourMs)
      }
      t.is(new Set(seen).size, seen.length, 'no row twice')
      t.deepEqual(
        expected.filter((key) => !seen.includes(key)),
        [],
      )
    }),
    { seed, numRuns: 25 },
  )
})

test('pages of the default range stay on the range of the first', async (t) => {
  const fixture = await openFixture(t)
  for (const city of cities)
    fixture.olap.speed.push({ event_time: boundary, status: 'valid', city })
  const query = { dimensions: 'city', limit: '4' }
  const first = await ask(fixture, query)
  fixture.time.now += 3 * minuteMs
  const second = await ask(fixture, { ...query, cursor: first.meta.next })
  t.is(second.meta.end_time, first.meta.end_time)
  t.deepEqual(
    [...first.data, ...second.data].map((row) => row.city),
    cities,
  )
  t.is(second.meta.next, null)
})

test('a cursor is of one query, one tenant and one instance; whoever changes it is refused', async (t) => {
  const fixture = await openFixture(t)
  for (const city of cities) {
    fixture.olap.speed.push({ event_time: boundary, status: 'valid', city, advertiser_id: 'adv-2' })
  }
  const query = { dimensions: 'city', limit: '2', filters: 'advertiser_id==adv-2' }
  const cursor: string = (await ask(fixture, query)).meta.next
  t.is((await ask(fixture, { ...query, cursor })).status, 200)
  const [body = '', seal = ''] = cursor.split('.')
  const decoded = JSON.parse(Buffer.from(body, 'base64url').toString())
  const forged = Buffer.from(JSON.stringify([...decoded.slice(0, 3), ['zzz'], decoded[4]]))
  const wrong: [Record<string, string>, 'admin' | 'other', RegExp][] = [
    [{ ...query, dimensions: 'country', cursor }, 'admin', /another query/],
    [{ ...query, metrics: 'click_count', cursor }, 'admin', /another query/],
    [{ ...query, cursor }, 'other', /as it is/],
    [{ ...query, cursor: `${forged.toString('base64url')}.${seal}` }, 'admin', /as it is/],
    [{ ...query, cursor: `${body}.${'A'.repeat(22)}` }, 'admin', /as it is/],
    [{ ...query, cursor: 'bm9uc2Vuc2U' }, 'admin', /as it is/],
    [{ ...query, cursor: `${'x'.repeat(4_000)}.${seal}` }, 'admin', /as it is/],
  ]
  for (const [asked, as, detail] of wrong) {
    const { status, ...problem } = await ask(fixture, asked, as)
    t.is(status, 400)
    t.regex(problem.detail, detail)
  }
  const restarted = await openFixture(t)
  t.is((await ask(restarted, { ...query, cursor })).status, 400)
})

test('a cursor ends when an hour of its range is published anew', async (t) => {
  const fixture = await openFixture(t)
  for (const city of cities) {
    fixture.olap.batch.push({ event_time: boundary - hourMs, status: 'valid', city })
  }
  const query = { dimensions: 'city', limit: '2' }
  const cursor: string = (await ask(fixture, query)).meta.next
  await publishRun(fixture, 'run-0', boundary - 90 * hourMs)
  t.is((await ask(fixture, { ...query, cursor })).status, 200, 'another hour')
  await publishRun(fixture, 'run-1', boundary - hourMs)
  const { status, code } = await ask(fixture, { ...query, cursor })
  t.deepEqual([status, code], [410, 'cursor-expired'])
})

test('a cursor ends when the speed view no longer holds what its boundary leaves to it', async (t) => {
  const fixture = await openFixture(t)
  for (const city of cities)
    fixture.olap.speed.push({ event_time: boundary, status: 'valid', city })
  const query = { dimensions: 'city', limit: '2' }
  const cursor: string = (await ask(fixture, query)).meta.next
  await moveBoundary(fixture, 2, boundary + hourMs)
  t.is((await ask(fixture, { ...query, cursor })).status, 200)
  fixture.time.now += 7 * 24 * hourMs
  t.is((await ask(fixture, { ...query, cursor })).status, 410)
})

test('a rank by clicks has further pages below the boundary only; above it says that it is cut', async (t) => {
  const fixture = await openFixture(t)
  for (const [i, city] of cities.entries()) {
    for (let n = 0; n <= i % 3; n++) {
      fixture.olap.batch.push({ event_time: boundary - hourMs, status: 'valid', city })
    }
  }
  const query = { dimensions: 'city', granularity: 'all', order: '-click_count', limit: '2' }
  const latest = await ask(fixture, query)
  t.like(latest.meta, { next: null, truncated: true })
  const final = { ...query, completeness: 'final', end_time: new Date(boundary).toISOString() }
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const { data, meta, headers } = await ask(fixture, { ...final, ...(cursor ? { cursor } : {}) })
    t.is(
      headers['cache-control'],
      cursor ? 'private, max-age=3600, immutable' : 'private, no-cache',
    )
    seen.push(...data.map((row: Row) => `${row.city}${row.click_count}`))
    cursor = meta.next
  } while (cursor)
  t.deepEqual(seen, ['c3', 'f3', 'b2', 'e2', 'a1', 'd1'])
})

test('while a run replaces hours of the range, the answer says so and nobody may keep it', async (t) => {
  const fixture = await openFixture(t)
  await fixture.beat(startNow, [0])
  const query = {
    start_time: new Date(boundary - 3 * hourMs).toISOString(),
    end_time: new Date(boundary).toISOString(),
  }
  const before = await ask(fixture, query)
  await publishRun(fixture, 'run-2', boundary - hourMs, 'publishing')
  const during = await ask(fixture, query)
  t.deepEqual(during.meta.publishing, ['run-2'])
  t.not(during.headers.etag, before.headers.etag)
  await moveBoundary(fixture, 2, boundary + hourMs)
  await fixture.catalogue.query("UPDATE runs SET status = 'done'")
  const after = await ask(fixture, query)
  t.is(after.headers.etag, before.headers.etag, 'the next hour sealed changes nothing below')
  t.deepEqual(after.meta.publishing, [])
})

test('numbers that are published while a page is read are read again', async (t) => {
  const fixture = await openFixture(t)
  fixture.olap.batch.push({ event_time: boundary - hourMs, status: 'valid' })
  fixture.olap.before = async () => {
    fixture.olap.before = undefined
    await publishRun(fixture, 'run-1', boundary - hourMs)
  }
  const { meta } = await ask(fixture, {})
  t.is(fixture.olap.queries.length, 2)
  t.is(meta.runs[0].run_id, 'run-1')
})
