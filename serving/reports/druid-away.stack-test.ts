// Druid away, seen by who asks serving: the final part, marked stale, or 503; never a number less.
import { randomUUID } from 'node:crypto'
import test from 'ava'
import { until } from '#platform/wait.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'
import { openDruid } from '../../tests/support/druid.ts'
import { startFaultyProxy } from '../../tests/support/faulty-proxy.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { loadClicks } from '../../tests/support/staged.ts'
import { boundary, openFixture, startNow } from '../testing/fixture.ts'

const clicksOf = (hour: number, count: number): JudgedClick[] =>
  Array.from({ length: count }, (_, i) => ({
    ...blankClick,
    event_id: randomUUID(),
    event_time: hour + i,
    advertiser_id: 'adv-1',
    ad_id: 'ad-1',
    status: 'valid',
  }))

const isGone = (error: unknown) => (error as { code?: string }).code === 'unavailable'

test('Druid cut off: stale answers or 503, and fresh ones as soon as it is back', async (t) => {
  const direct = stackSettings(t)
  const druid = new URL(direct.CLICKLEDGER_DRUID_URL)
  const proxy = await startFaultyProxy(t, Number(druid.port))
  const settings = { ...direct, CLICKLEDGER_DRUID_URL: `http://127.0.0.1:${proxy.port}` }
  const { store, objects } = await openDruid(t, settings)
  const hours = [2, 1].map((n) => boundary - n * hourMs)
  const clicks = hours.flatMap((hour, i) => clicksOf(hour, 3 + i))
  await loadClicks({ store, objects }, 'run', clicks)
  const { inject, beat } = await openFixture(t, { store, queryTimeoutMs: 20_000 })
  await beat(startNow, [])
  const iso = (time: number) => new Date(time).toISOString()
  const ask = async (metrics: string, from: number) => {
    const [start, end] = [from, from + 3].map((hour) => iso(boundary + hour * hourMs))
    const url = `/v1/reports/clicks/timeseries?start_time=${start}&end_time=${end}&metrics=${metrics}`
    const answer = await inject({ url }, 'admin')
    return { status: answer.statusCode, headers: answer.headers, ...answer.json() }
  }
  const counts = (answer: { data: { click_count: number }[] }) =>
    answer.data.map(({ click_count }) => click_count)

  t.deepEqual(counts(await ask('click_count', -2)), [3, 4])
  proxy.isDown = true
  proxy.cut()
  // The same question at the same state of the store has the same answer; a window that moved has not.
  t.deepEqual(counts(await ask('click_count', -2)), [3, 4])
  // Brokers are asked directly, but what they should show is known for seconds only.
  const range = { start: boundary - hourMs, end: boundary, boundary, timeZone: 'UTC' }
  const query = { ...range, granularity: 'all', dimensions: [], filters: [], limit: 1 } as const
  const isAway = () => store.query({ ...query, metrics: ['click_count'] }).then(() => false, isGone)
  await until(isAway, { everyMs: 100, what: 'Druid is away' })
  const stale = await ask('click_count', -1)
  t.is(stale.status, 200)
  t.deepEqual(counts(stale), [4])
  t.like(stale.meta, { stale: true, end_time: iso(boundary) })
  const refused = await ask('gross_click_count', -2)
  t.is(refused.status, 503)
  t.truthy(refused.headers['retry-after'])
  proxy.isDown = false
  const again = await until(
    async () => {
      const answer = await ask('click_count', -1)
      return answer.meta.stale ? undefined : answer
    },
    { everyMs: 100, what: 'Druid is back' },
  )
  t.deepEqual(counts(again), [4])
  t.is((await ask('gross_click_count', -2)).status, 200)
})
