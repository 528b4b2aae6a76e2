import test from 'ava'
import { until } from '#platform/wait.ts'
import { noAnswers } from './admission/answers.ts'
import { createQueryGate } from './admission/query-gate.ts'
import type { Facts } from './freshness.ts'
import { createLiveHub, type LiveEvent } from './live-hub.ts'
import { createFinalMemory } from './reports/final-memory.ts'
import { boundary, openFixture, startNow } from './testing/fixture.ts'

const facts: Facts = {
  at: startNow,
  watermark: boundary + 60_000,
  isDegraded: false,
  applied: [0],
  ingest: [],
  speed: [],
  archive: [],
  serving: [],
}

test('one poller for all who ask the same, none when nobody asks; bounded', async (t) => {
  const { catalogue, olap } = await openFixture(t)
  olap.speed.push({ event_time: boundary + 5, status: 'valid', ad_id: 'ad-1' })
  const deps = {
    catalogue,
    gate: createQueryGate(olap, {
      ...{ concurrentMax: 1, tenantMax: 1, waitingMax: 9, timeoutMs: 60_000 },
    }),
    answers: noAnswers,
    memory: createFinalMemory(catalogue, () => startNow),
    facts: { read: async () => facts, readAnew: async () => facts, isWhole: async () => true },
    approximate: [],
    now: () => 0,
    cursorKey: Buffer.alloc(32),
    speedRetentionMs: 0,
    clock: { now: () => startNow },
  }
  const hub = createLiveHub(deps, { everyMs: 20, clientsMax: 3, questionsMax: 2 })
  t.teardown(() => hub.close())
  const seen: LiveEvent[][] = [[], [], []]
  const question = { filters: [], minutes: 30 }
  const [leave0, leave1] = [0, 1].map((i) => hub.subscribe(question, (e) => seen[i]?.push(e)))
  await until(() => seen[0]?.[2] && seen[1]?.[2], { what: 'three rounds' })
  t.true(olap.queries.length <= (seen[0]?.length ?? 0) + 1)

  const data = JSON.parse(seen[0]?.[0]?.data ?? '{}')
  t.is(data.series.length, 30)
  t.is(data.totals.click_count, 1)
  const at = (time: string) => data.series.find((r: { time: string }) => r.time === time)
  t.like(at('2026-11-22T05:00:00.000Z'), { click_count: 1, provenance: 'provisional' })
  t.like(at('2026-11-22T04:59:00.000Z'), { click_count: 0, provenance: 'final' })
  t.like(at('2026-11-22T05:20:00.000Z'), { click_count: 0, provenance: 'open' })

  const other = hub.subscribe({ filters: [], minutes: 5 }, (e) => seen[2]?.push(e))
  t.throws(() => hub.subscribe(question, () => {}), { code: 'too-many-requests' })
  olap.before = () => Promise.reject(new Error('down'))
  await until(() => seen[2]?.find(({ event }) => event === 'problem'), {
    what: 'the problem is told',
  })
  olap.before = undefined
  for (const leave of [leave0, leave1, other]) leave?.()
  t.is(hub.clients(), 0)
  let asked = -1
  await until(
    () => {
      const still = olap.queries.length === asked
      asked = olap.queries.length
      return still
    },
    { everyMs: 100, what: 'nobody asks the store any more' },
  )
})
