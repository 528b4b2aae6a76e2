import test, { type TestFn } from 'ava'
import { openDruid } from '../../tests/support/druid.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { fixtureRequests } from './testing/fixtures.ts'
import { openSqlServing } from './testing/instance.ts'
import { tryIsolation, withoutPredicate } from './testing/isolation.ts'
import { ask, clicksOf, fill, pinnedFor } from './testing/rig.ts'
import { testSqlGateway } from './testing/suite.ts'

testSqlGateway(test.serial as TestFn, 'druid', (t) => openDruid(t, stackSettings(t)))

const statements = Number(process.env.HOSTILE_STATEMENTS ?? 400)

test.serial('druid: hostile statements see not one row of another tenant', async (t) => {
  t.log(`seed ${seed}`)
  const [alone, shared] = [
    await openDruid(t, stackSettings(t)),
    await openDruid(t, stackSettings(t)),
  ]
  const [batch, speed] = [clicksOf('mine', 40, seed), clicksOf('mine', 40, seed + 1)]
  await fill(alone, batch, speed)
  const others = [clicksOf('foreign', 40, seed + 2), clicksOf('foreign', 40, seed + 3)] as const
  await fill(shared, [...batch, ...others[0]], [...speed, ...others[1]])
  const stores = { alone: alone.store, shared: shared.store, seed }
  const { answered, refused, leaks } = await tryIsolation({ ...stores, count: statements })
  t.log(`${answered} answered, ${refused} refused`)
  t.deepEqual(leaks.slice(0, 3), [])
  t.true(answered > statements / 4, 'the statements are mostly understood')
  const mutate = (statement: Parameters<typeof withoutPredicate>[0]) =>
    withoutPredicate(statement, 'all')
  const broken = await tryIsolation({ ...stores, count: 60, mutate })
  t.true(broken.leaks.length > 5, 'a predicate that is gone is noticed')
})

test.serial('druid: sketches that it loses on the way are refused with a reason', async (t) => {
  const parts = await openDruid(t, stackSettings(t))
  await fill(parts, clicksOf('mine', 40, seed), clicksOf('mine', 40, seed + 1))
  const sql = `SELECT APPROX_COUNT_DISTINCT_DS_HLL(unique_user_count) AS n FROM clicks_day
    WHERE click_count < (SELECT SUM(gross_click_count) FROM clicks_day)`
  const refusal = await t.throwsAsync(ask(parts.store, { sql }, pinnedFor('mine')), {
    code: 'sql-refused',
  })
  t.regex(refusal?.message ?? '', /unique_user_count .* sub-query/)
})

test.serial('druid: joins that multiply are refused before they begin', async (t) => {
  const parts = await openDruid(t, stackSettings(t))
  await fill(parts, clicksOf('mine', 80, seed), clicksOf('mine', 80, seed + 1))
  const minutes = '(SELECT __time AS t, SUM(click_count) AS n FROM clicks GROUP BY 1)'
  const five = ['a', 'b', 'c', 'd', 'e'].map((name) => `${minutes} ${name}`).join(', ')
  const sql = `SELECT SUM(a.n + e.n) AS n FROM ${five}`
  const refusal = await t.throwsAsync(ask(parts.store, { sql }, pinnedFor('mine')), {
    code: 'query-too-large',
  })
  t.regex(refusal?.message ?? '', /more than 228 rows together/)
})

test.serial('druid: what Superset and Grafana send is answered', async (t) => {
  const { app, keys } = await openSqlServing(t, await openDruid(t, stackSettings(t)), ['adv-1'])
  for (const { what, body } of fixtureRequests) {
    const headers = { authorization: `Bearer ${keys.advertiser}` }
    const answer = await app.inject({
      method: 'POST',
      url: '/druid/v2/sql',
      payload: body,
      headers,
    })
    t.is(answer.statusCode, 200, `${what}: ${body.query}: ${answer.body.slice(0, 300)}`)
    t.true(answer.json().length > 0, `${what}: ${body.query}`)
  }
})
