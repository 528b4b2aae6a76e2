// Monitoring in both shapes: one process with every layer, and a layer as a process of its own.
import test from 'ava'
import { readSettings } from '#platform/config.ts'
import { until } from '#platform/wait.ts'
import { runLayer } from '../cli/layers.ts'
import { freePort } from '../infra/local/ports.ts'
import { scratchDir } from './support/contract.ts'
import { startInstance } from './support/instance.ts'

const numberOf = (text: string, sample: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(sample))
      ?.split(' ')
      .at(-1),
  )

test('start: every layer behind one address, and its numbers move', async (t) => {
  const port = await freePort()
  const instance = await startInstance(t, { CLICKLEDGER_METRICS_PORT: String(port) })
  await instance.post('/v1/ads', [
    { ad_id: 'ad-1', advertiser_id: 'adv-1', target_url: 'https://shop.example/' },
  ])
  for (let i = 0; i < 5; i++) {
    await fetch(`${instance.ingestUrl}/click/ad-1`, { redirect: 'manual' })
  }
  t.is((await fetch(`${instance.ingestUrl}/click/none`, { redirect: 'manual' })).status, 404)
  for (const url of [instance.servingUrl, `http://127.0.0.1:${port}`]) {
    const text = await until(
      async () => {
        const metrics = await (await fetch(`${url}/metrics`)).text()
        const judged = ['valid', 'duplicate', 'invalid'].map((verdict) =>
          numberOf(metrics, `clickledger_speed_clicks_total{verdict="${verdict}"`),
        )
        return judged.reduce((sum, count) => sum + count, 0) === 5 ? metrics : undefined
      },
      { what: 'five clicks are judged' },
    )
    for (const layer of ['ingest', 'speed', 'archive', 'rebuild', 'serving']) {
      t.true(text.includes(`clickledger_event_loop_active_seconds_total{layer="${layer}"}`), layer)
    }
    const types = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name)
    t.is(new Set(types).size, types.length)
    t.is(numberOf(text, 'clickledger_clicks_accepted_total{source="redirect"'), 5)
    t.is(numberOf(text, 'clickledger_clicks_refused_total{reason="unknown-ad"'), 1)
    t.is(numberOf(text, 'clickledger_ingest_requests_total{route="redirect",status="302"'), 5)
    t.is(numberOf(text, 'clickledger_ingest_answer_seconds_count{route="redirect"'), 6)
    t.is(numberOf(text, 'clickledger_facts_up'), 1)
    t.is((await fetch(`${url}/readyz`)).status, 200)
  }
})

for (const name of ['speed', 'archive'] as const) {
  test(`${name} as a process of its own says whether it is ready, and how far it is`, async (t) => {
    const port = await freePort()
    const settings = readSettings({
      CLICKLEDGER_DATA_DIR: scratchDir(t),
      CLICKLEDGER_LOG_LEVEL: 'silent',
      CLICKLEDGER_ADMIN_KEY: 'k'.repeat(32),
      CLICKLEDGER_METRICS_PORT: String(port),
    })
    const layer = await runLayer(name, settings)
    const ask = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
    t.is((await ask('/livez')).status, 200)
    await until(async () => (await ask('/readyz')).ok, { what: 'the layer is ready' })
    const text = await (await ask('/metrics')).text()
    t.is(numberOf(text, `clickledger_${name}_lag_records{partition="3"`), 0)
    await layer.close()
    await t.throwsAsync(ask('/livez'))
  })
}
