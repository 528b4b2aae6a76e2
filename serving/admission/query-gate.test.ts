import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import { until } from '#platform/wait.ts'
import type { ClickledgerError } from '#schemas/errors.ts'
import { createQueryGate } from './query-gate.ts'

const query: ReportQuery = {
  start: 0,
  end: 1,
  boundary: 0,
  granularity: 'all',
  timeZone: 'UTC',
  dimensions: [],
  filters: [],
  metrics: ['click_count'],
  limit: 1,
}

function slowStore() {
  const signals: AbortSignal[] = []
  const running: PromiseWithResolvers<ReportRow[]>[] = []
  return {
    running,
    signals,
    query: (_: ReportQuery, signal?: AbortSignal) => {
      if (signal) signals.push(signal)
      const one = Promise.withResolvers<ReportRow[]>()
      running.push(one)
      return one.promise
    },
  }
}

test('so many at once, so many waiting, the rest is refused', async (t) => {
  const store = slowStore()
  const gate = createQueryGate(store, {
    concurrentMax: 2,
    tenantMax: 2,
    waitingMax: 1,
    timeoutMs: 10_000,
  })
  const asked = [gate.query(query), gate.query(query), gate.query(query)]
  await t.throwsAsync(gate.query(query), { code: 'too-many-requests' })
  t.is(store.running.length, 2)
  store.running[0]?.resolve([])
  await asked[0]
  t.is(store.running.length, 3)
  for (const one of store.running) one.resolve([])
  await Promise.all(asked)
})

test('a query out of time keeps its place until the store has ended it', async (t) => {
  const store = slowStore()
  const gate = createQueryGate(store, {
    concurrentMax: 1,
    tenantMax: 1,
    waitingMax: 5,
    timeoutMs: 300,
  })
  await t.throwsAsync(gate.query(query), { code: 'query-timeout' })
  await t.throwsAsync(gate.query(query), { code: 'query-timeout' })
  t.is(store.running.length, 1, 'the second one never reached the store')
  store.running[0]?.resolve([])
  const third = gate.query(query)
  // No timer comes between: on a busy machine this one would be out of time, too.
  await setImmediate()
  store.running[1]?.resolve([])
  t.deepEqual(await third, [])
  t.is(store.running.length, 2, 'and an abandoned one is not asked any more')
})

test('whoever goes away is not computed for; the place stays taken until the store has ended it', async (t) => {
  const store = slowStore()
  const gate = createQueryGate(store, {
    ...{ concurrentMax: 1, tenantMax: 1, waitingMax: 5 },
    timeoutMs: 10_000,
  })
  const [first, second] = [new AbortController(), new AbortController()]
  const asked = gate.query(query, { tenant: 'a', signal: first.signal })
  const waits = gate.query(query, { tenant: 'a', signal: second.signal })
  await until(() => store.running[0], { everyMs: 5, what: 'asked' })
  second.abort()
  await t.throwsAsync(waits, { code: 'client-gone' })
  t.false(store.signals[0]?.aborted)
  first.abort()
  await t.throwsAsync(asked, { code: 'client-gone' })
  t.true(store.signals[0]?.aborted, 'the store is told')
  t.deepEqual(gate.load(), { running: 1, waiting: 0 })
  store.running[0]?.reject(new Error('aborted'))
  await until(() => gate.load().running === 0, { everyMs: 5, what: 'left' })
  t.is(store.running.length, 1, 'the second never reached the store')
})

test('a refusal says when to come back, by how long queries take', async (t) => {
  const store = slowStore()
  const gate = createQueryGate(store, {
    ...{ concurrentMax: 1, tenantMax: 1, waitingMax: 1 },
    timeoutMs: 10_000,
  })
  const asked = [gate.query(query), gate.query(query)]
  const refused = await t.throwsAsync<ClickledgerError>(gate.query(query), {
    code: 'too-many-requests',
  })
  t.true((refused?.retryAfterSeconds ?? 0) >= 1)
  store.running[0]?.resolve([])
  await asked[0]
  store.running[1]?.resolve([])
  await asked[1]
})
