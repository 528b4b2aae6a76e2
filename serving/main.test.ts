// Serving as it runs: over HTTP, on the embedded stores.
import { randomUUID } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { bucketStart, formatInstant } from '#core/buckets.ts'
import { createApiKey } from '#platform/api-keys.ts'
import { createClock } from '#platform/clock.ts'
import { readSettings } from '#platform/config.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { createLogger } from '#platform/log.ts'
import { openDuckDbStore } from '#platform/olap/duckdb.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { minuteMs } from '#schemas/paths.ts'
import { blankClick } from '../tests/support/blank-clicks.ts'
import { catalogueEnv } from '../tests/support/catalogue.ts'
import { scratchDir } from '../tests/support/contract.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { showJudged } from '../tests/support/staged.ts'
import { runServing } from './main.ts'

async function openStack(t: ExecutionContext) {
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_SERVING_PORT: '0',
    ...catalogueEnv(),
  })
  const clock = createClock()
  const log = await openEventLog(settings, clock.now)
  const olap = await openDuckDbStore({ settings, clock, onFailure: (e) => t.fail(e.message) })
  const catalogue = await openCatalogue(settings)
  const logger = createLogger('serving', process.env.TEST_LOG_LEVEL ?? 'silent')
  const serving = await runServing({ settings, clock, logger }, { olap })
  const key = await createApiKey(catalogue, clock.now(), { role: 'admin' })
  t.teardown(async () => {
    await serving.close()
    await serving.done
    await olap.close()
    await log.close()
    await catalogue.close()
  })

  const get = (path: string, init: RequestInit = {}) =>
    fetch(`${serving.url}${path}`, { ...init, headers: { authorization: `Bearer ${key}` } })
  const count = async (clicks: readonly Partial<JudgedClick>[]) => {
    const all = clicks.map((fields) => ({
      ...{ ...blankClick, event_id: randomUUID(), status: 'valid' as const },
      ...fields,
    }))
    return showJudged({ store: olap, log }, all, { now: clock.now() })
  }
  return { serving, catalogue, clock, get, count }
}

/** Reads server-sent events until one satisfies. */
async function nextCounts<T>(
  body: ReadableStream<Uint8Array>,
  satisfies: (data: LiveData) => T | undefined,
): Promise<T> {
  let text = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const data = /^event: counts\ndata: (.*)$/m.exec(event)?.[1]
      const found = data === undefined ? undefined : satisfies(JSON.parse(data))
      if (found !== undefined) return found
    }
  }
  throw new Error('the stream ended')
}

interface LiveData {
  boundary: string
  watermark: string | null
  series: Record<string, string | number>[]
  totals: Record<string, number>
}

test('a judged click shows in reports, in live counts and in the status', async (t) => {
  const { serving, catalogue, clock, get, count } = await openStack(t)
  const [heartbeat] = await catalogue.query<{ body: string }>(
    "SELECT body FROM heartbeats WHERE layer = 'serving'",
  )
  t.is(JSON.parse(heartbeat?.body ?? '{}').url, serving.url)

  const now = clock.now()
  const live = await get('/v1/live?minutes=10&filters=ad_id==ad-1')
  t.is(live.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const judgedEnds = await count([
    { event_time: now - 1_000, ad_id: 'ad-1' },
    { event_time: now - 900, ad_id: 'ad-1', status: 'duplicate' },
    { event_time: now - 800, ad_id: 'ad-2' },
  ])
  const shown = await nextCounts(live.body as ReadableStream<Uint8Array>, (data) =>
    data.totals.gross_click_count === 2 ? data : undefined,
  )
  t.is(shown.series.length, 10)
  t.like(shown.totals, { click_count: 1, duplicate_click_count: 1 })

  await reportHeartbeat(catalogue, 'speed', 'node-1', clock.now(), {
    watermark: clock.now(),
    partitions: judgedEnds.map((_, partition) => ({ partition, committed: 0, end: 0 })),
    judgedEnds,
    counts: { judged: 3, valid: 2, duplicate: 1, invalid: 0, copies: 0, deadLettered: 0 },
    stateKeys: 0,
    stateFullRotations: 0,
  })
  await until(
    async () => {
      const freshness = await (await get('/v1/freshness')).json()
      return (freshness as { state: string }).state === 'live'
    },
    { what: 'the watermark is proven' },
  )
  const status = (await (await get('/v1/status')).json()) as { counts: object }
  t.like(status.counts, { gross: 3, valid: 2, duplicate: 1, invalid: 0 })

  const report = (await (await get('/v1/reports/clicks/topN?dimension=ad_id')).json()) as {
    data: { ad_id: string; click_count: number }[]
  }
  t.deepEqual(
    report.data.map(({ ad_id, click_count }) => [ad_id, click_count]),
    [
      ['ad-1', 1],
      ['ad-2', 1],
    ],
  )
})

test('the store cuts buckets where serving says they begin, in every zone', async (t) => {
  const { clock, get, count } = await openStack(t)
  const from = bucketStart(clock.now(), 'hour', 'UTC')
  // Above the boundary only the speed view answers, and it holds a week: a week later, from then on.
  const times = Array.from({ length: 60 }, (_, i) => from + 86_400_000 + i * 151 * minuteMs)
  clock.advance((15 * 86_400_000) / 2)
  await count(times.map((event_time) => ({ event_time })))
  for (const zone of [
    'UTC',
    'Europe/Berlin',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'Asia/Tehran',
  ]) {
    for (const granularity of ['hour', 'day', 'week', 'month'] as const) {
      const expected = [...new Set(times.map((at) => bucketStart(at, granularity, zone)))]
      const query = new URLSearchParams({
        granularity,
        time_zone: zone,
        start_time: new Date(from).toISOString(),
        end_time: new Date(clock.now()).toISOString(),
        metrics: 'gross_click_count',
      })
      const { data } = (await (await get(`/v1/reports/clicks/timeseries?${query}`)).json()) as {
        data: { time: string; gross_click_count: number }[]
      }
      t.deepEqual(
        data.map(({ time }) => time),
        expected.map((at) => formatInstant(at, zone)),
        `${granularity} in ${zone}`,
      )
      t.is(
        data.reduce((sum, row) => sum + row.gross_click_count, 0),
        times.length,
      )
    }
  }
})

test('no filter value breaks the store', async (t) => {
  const { get } = await openStack(t)
  t.log({ seed })
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom("'", "''; DROP TABLE batch_minutes; --", '\\', '%', '_', '\ud800', '$1', '?'),
  )
  await fc.assert(
    fc.asyncProperty(value, fc.constantFrom('==', '!=', '=^'), async (text, operator) => {
      const query = new URLSearchParams({ filters: `city${operator}${text}` })
      const answer = await get(`/v1/reports/clicks/timeseries?${query}`)
      await answer.arrayBuffer()
      if (answer.status !== 200 && answer.status !== 400) throw new Error(String(answer.status))
    }),
    { seed, numRuns: 100 },
  )
  t.pass()
})

test('closing ends open live streams at once', async (t) => {
  const { serving, get } = await openStack(t)
  const live = await get('/v1/live')
  const reading = live.text().catch(() => 'cut')
  await serving.close()
  t.is(typeof (await reading), 'string')
})
