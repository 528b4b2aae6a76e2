import { createServer } from 'node:net'
import test from 'ava'
import { readSettings } from './config.ts'
import type { Monitored, RunningLayer } from './layer.ts'
import {
  addCounter,
  addGauge,
  addHistogram,
  createRegistry,
  createTally,
  mergeExpositions,
} from './metrics.ts'
import { serveMetrics, withMetricsEndpoint } from './metrics-server.ts'

const samples = (text: string, name: string) =>
  text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name}_`))

test('a tally is a cumulative histogram; one without a value is left out', async (t) => {
  const registry = createRegistry('test')
  const [some, none] = [createTally([0.1, 1]), createTally([0.1, 1])]
  for (const value of [0.05, 0.1, 0.5, 7]) some.add(value)
  const spec = { name: 'm', help: 'h', labelNames: ['route'] }
  addHistogram(registry, spec, () => [
    [{ route: 'some' }, some],
    [{ route: 'none' }, none],
  ])
  t.deepEqual(samples(await registry.metrics(), 'm'), [
    'm_bucket{route="some",le="0.1",layer="test"} 2',
    'm_bucket{route="some",le="1",layer="test"} 3',
    'm_bucket{route="some",le="+Inf",layer="test"} 4',
    'm_sum{route="some",layer="test"} 7.65',
    'm_count{route="some",layer="test"} 4',
  ])
})

test('a reading that fails or is not known leaves its metric out, and no other', async (t) => {
  const registry = createRegistry('test')
  const failing = () => Promise.reject(new Error('away'))
  addGauge(registry, { name: 'fails', help: 'h' }, failing)
  addGauge(registry, { name: 'unknown', help: 'h' }, () => undefined)
  addCounter(registry, { name: 'good_total', help: 'h' }, async () => 3)
  const text = await registry.metrics()
  t.deepEqual(samples(text, 'fails'), [])
  t.deepEqual(samples(text, 'unknown'), [])
  t.deepEqual(samples(text, 'good_total'), ['good_total{layer="test"} 3'])
})

test('merged texts have each metric once, with the samples of all', async (t) => {
  const texts = ['a', 'b'].map((layer) => {
    const registry = createRegistry(layer)
    addGauge(registry, { name: 'both', help: 'h # HELP both' }, () => 1)
    addGauge(registry, { name: `only_${layer}`, help: 'h' }, () => 2)
    return registry.metrics()
  })
  const text = mergeExpositions(await Promise.all(texts))
  t.is(text.match(/^# TYPE both gauge$/gm)?.length, 1)
  t.deepEqual(samples(text, 'both'), ['both{layer="a"} 1', 'both{layer="b"} 1'])
  t.deepEqual(samples(text, 'only_b'), ['only_b{layer="b"} 2'])
  t.is(mergeExpositions([text]), text)
})

const never = new Promise<never>(() => {})
const layer = (readiness: Monitored['readiness'], metrics = async () => 'up 1\n') => ({
  metrics,
  readiness,
})

test('livez, readyz and metrics of a layer that is well, one that is not, one that hangs', async (t) => {
  const get = async (monitored: Monitored, path: string) => {
    const server = await serveMetrics(monitored, { host: '127.0.0.1', port: 0 })
    t.teardown(server.close)
    const answer = await fetch(server.url + path)
    return [answer.status, await answer.text()]
  }
  const well = layer(async () => ({ ready: true, log: 'ok' }))
  t.deepEqual(await get(well, '/livez'), [200, '{"status":"alive"}'])
  t.deepEqual(await get(well, '/readyz?x=1'), [200, '{"ready":true,"log":"ok"}'])
  t.is((await get(well, '/other'))[0], 404)
  const fails = layer(() => Promise.reject(new Error('the log is away')))
  t.deepEqual(await get(fails, '/readyz'), [503, '{"ready":false,"detail":"the log is away"}'])
  const hangs = layer(
    () => never,
    () => never,
  )
  t.is((await get(hangs, '/livez'))[0], 200)
  t.is((await get(hangs, '/readyz'))[0], 503)
  t.deepEqual(await get(hangs, '/metrics'), [200, ''])
})

test('a port that is taken stops the layer with one message that names the setting', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  t.teardown(() => other.close())
  const address = other.address()
  const port = typeof address === 'object' && address ? address.port : 0
  let closed = 0
  const running: RunningLayer = {
    ...layer(async () => ({ ready: true })),
    done: never,
    async close() {
      closed++
    },
  }
  const settings = readSettings({ CLICKLEDGER_METRICS_PORT: String(port) })
  await t.throwsAsync(withMetricsEndpoint(settings, running), {
    message: /CLICKLEDGER_METRICS_PORT.*EADDRINUSE/,
  })
  t.is(closed, 1)
  t.is(await withMetricsEndpoint(readSettings({}), running), running)
})
