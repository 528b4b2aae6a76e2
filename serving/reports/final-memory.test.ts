// The store goes away: what was final is answered, marked so, and nothing else is.
import test, { type ExecutionContext } from 'ava'
import { until } from '#platform/wait.ts'
import { hourMs } from '#schemas/paths.ts'
import { boundary, openFixture, startNow } from '../testing/fixture.ts'

const timeseries = '/v1/reports/clicks/timeseries'
const iso = (time: number) => new Date(time).toISOString()

async function openFilled(t: ExecutionContext) {
  const fixture = await openFixture(t)
  const { olap, inject, beat, time, facts } = fixture
  await beat(startNow, [0])
  for (let hour = 1; hour <= 6; hour++) {
    for (let i = 0; i < hour; i++) {
      olap.batch.push({
        event_time: boundary - hour * hourMs + i,
        status: 'valid',
        ad_id: 'ad-1',
        advertiser_id: 'adv-1',
      })
    }
  }
  olap.speed.push({
    event_time: boundary + 5,
    status: 'valid',
    ad_id: 'ad-1',
    advertiser_id: 'adv-1',
  })
  const ask = async (
    from: number,
    to: number,
    query: object = {},
    as: 'admin' | 'advertiser' | 'other' = 'admin',
  ) => {
    const range = { start_time: iso(boundary + from), end_time: iso(boundary + to) }
    const answer = await inject(
      { url: timeseries, query: { ...range, metrics: 'click_count', ...query } },
      as,
    )
    return { status: answer.statusCode, headers: answer.headers, ...answer.json() }
  }
  const takeAway = async () => {
    olap.before = () => Promise.reject(new Error('gone'))
    olap.realtime = () => Promise.reject(new Error('gone'))
    time.now += 60_000
    const isNoticed = () =>
      facts.read().then(
        () => false,
        () => true,
      )
    await until(isNoticed, { what: 'serving notices' })
  }
  return { ...fixture, ask, takeAway }
}

const counts = (answer: { data: { click_count: number }[] }) =>
  answer.data.map(({ click_count }) => click_count)

test('the final part is answered, with its age; nothing above the boundary', async (t) => {
  const { ask, takeAway } = await openFilled(t)
  const fresh = await ask(-3 * hourMs, hourMs)
  t.deepEqual(counts(fresh), [3, 2, 1, 1])
  t.is(fresh.meta.stale, undefined)
  await takeAway()
  const stale = await ask(-3 * hourMs, hourMs)
  t.is(stale.status, 200)
  t.deepEqual(counts(stale), [3, 2, 1])
  t.like(stale.meta, {
    stale: true,
    end_time: iso(boundary),
    completeness: 'final',
    watermark: null,
    boundary: iso(boundary),
  })
  t.true(stale.meta.age_seconds >= 60)
  t.not(stale.headers.etag, fresh.headers.etag)
  const moved = await ask(-2 * hourMs, 2 * hourMs)
  t.deepEqual(counts(moved), [2, 1], 'a window of the same length that has moved on')
  t.is(moved.meta.start_time, iso(boundary - 2 * hourMs))
})

test('what is not remembered, or not final, is 503 with Retry-After', async (t) => {
  const { ask, takeAway, time } = await openFilled(t)
  await ask(-3 * hourMs, hourMs)
  await ask(0, hourMs)
  await ask(-3 * hourMs, hourMs, { granularity: 'all' })
  await takeAway()
  const refused = async (...args: Parameters<typeof ask>) => {
    const { status, headers, code } = await ask(...args)
    return status === 503 && code === 'unavailable' && Number(headers['retry-after']) > 0
  }
  t.true(await refused(0, hourMs), 'above the boundary only')
  t.true(await refused(-3 * hourMs, hourMs, { granularity: 'all' }), 'one bucket over it')
  t.true(await refused(-4 * hourMs, 0), 'begins earlier')
  t.true(await refused(-3 * hourMs, hourMs, { filters: 'ad_id==ad-1' }), 'another question')
  t.true(await refused(-3 * hourMs, hourMs, {}, 'other'), "another tenant's question")
  t.is((await ask(-3 * hourMs, hourMs)).status, 200)
  time.now += 25 * hourMs
  t.true(await refused(-3 * hourMs, hourMs), 'too old')
})

test('a bucket that is cut by the window is not taken for a whole one', async (t) => {
  const { ask, takeAway } = await openFilled(t)
  const half = hourMs / 2
  await ask(-3 * hourMs - half, -half)
  await takeAway()
  const moved = await ask(-3 * hourMs, 0)
  t.deepEqual(counts(moved), [3, 2])
  t.like(moved.meta, { start_time: iso(boundary - 3 * hourMs), end_time: iso(boundary - hourMs) })
})

test('hours that were published again since are not answered from memory', async (t) => {
  const { ask, takeAway, catalogue, time } = await openFilled(t)
  await ask(-3 * hourMs, 0)
  await takeAway()
  t.is((await ask(-3 * hourMs, 0)).status, 200)
  await catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, finished_at, plan)
     VALUES ('r', 'rebuild', 'done', 'test', 1, $1, $1, '{}')`,
    [time.now],
  )
  await catalogue.query(
    `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
     VALUES ($1, 'r', 1, 1, $2)`,
    [boundary - 2 * hourMs, time.now],
  )
  t.is((await ask(-3 * hourMs, 0)).status, 503)
})
