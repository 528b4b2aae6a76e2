// The gateway as pydruid sees it, on both stacks: what notebooks and Superset connect with.
import test, { type ExecutionContext } from 'ava'
import { createApiKey } from '#platform/api-keys.ts'
import { openEmbedded } from '../../serving/sql/testing/embedded.ts'
import { openSqlServing } from '../../serving/sql/testing/instance.ts'
import { boundary, type LoadParts, now } from '../../serving/sql/testing/rig.ts'
import { openDruid } from '../../tests/support/druid.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { openPython } from '../python.ts'

async function talk(t: ExecutionContext, parts: LoadParts): Promise<void> {
  const python = await openPython('requirements-pydruid.txt')
  const { app, catalogue, batch, speed } = await openSqlServing(t, parts, ['mine', 'foreign'])
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const key = await createApiKey(catalogue, now, { role: 'advertiser', advertiserIds: ['mine'] })
  const got = JSON.parse(await python.run('bi/pydruid_client.py', [url, key]))

  const shown = [
    ...batch.filter((c) => c.event_time < boundary),
    ...speed.filter((c) => c.event_time >= boundary),
  ].filter((c) => c.advertiser_id === 'mine')
  const valid = shown.filter((c) => c.status === 'valid')
  const hours = Map.groupBy(shown, (c) => c.event_time - (c.event_time % 3_600_000))
  const byHour = [...hours]
    .sort(([a], [b]) => a - b)
    .map(([hour, clicks]) => [
      new Date(hour).toISOString(),
      clicks.filter((c) => c.status === 'valid').length,
    ])
  t.deepEqual(got.by_hour, byHour)
  t.deepEqual(got.described, ['h', 'clicks'])
  t.regex(got.refused, /^ProgrammingError: druidException \(INVALID_INPUT\): .*sys\.segments/)
  t.deepEqual(got.schemas, ['druid'])
  t.deepEqual(got.tables.sort(), ['clicks', 'clicks_day', 'clicks_hour'])
  t.true(got.has_table && got.ping)
  t.false(got.has_other)
  t.is(got.columns.__time, 'TIMESTAMP')
  t.is(got.columns.click_count, 'BIGINT')
  t.is(got.columns.ad_id, 'VARCHAR')
  t.is(got.total, valid.length)
  const somewhere = shown.filter((c) => c.country !== '')
  const perAd = [...Map.groupBy(somewhere, (c) => c.ad_id)].map(([ad, c]) => [ad, c.length])
  t.deepEqual(
    got.per_ad,
    perAd.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  )
  t.is(got.nothing, 0)
}

test.serial('pydruid: DB-API, SQLAlchemy and its reflection, on the embedded stack', async (t) => {
  await talk(t, await openEmbedded(t))
})

test.serial('pydruid: the same on Druid', async (t) => {
  await talk(t, await openDruid(t, stackSettings(t)))
})
