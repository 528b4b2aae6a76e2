// An ingest node with Redis: what one life loaded the next one takes from there, and whatever
// becomes of Redis, every click is redirected to the right place.
import test, { type ExecutionContext } from 'ava'
import { upsertAds } from '#platform/catalogue/ads.ts'
import { openCatalogue } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { newSettings, startIngest } from '../../../ingest/test-support.ts'
import { stackSettings, testServers } from '../../support/stack.ts'

const ads = 400
const adId = (i: number) => `shared-${i}`
const targetOf = (i: number) => `https://shop.example/of/${i}`

async function setUp(t: ExecutionContext) {
  const { CLICKLEDGER_REDIS_URL, CLICKLEDGER_NAMESPACE } = stackSettings(t)
  const settings = await newSettings(t, { CLICKLEDGER_REDIS_URL, CLICKLEDGER_NAMESPACE })
  const catalogue = await openCatalogue(settings)
  const rows = Array.from({ length: ads }, (_, i) => ({
    line: i,
    value: { ad_id: adId(i), advertiser_id: 'adv-1', target_url: targetOf(i) },
  }))
  await upsertAds(catalogue, 1, rows)
  await catalogue.close()
  return settings
}

type Node = Awaited<ReturnType<typeof startIngest>>

/** Clicks on ads [first, end), all at once. */
async function click(t: ExecutionContext, node: Node, first: number, end: number): Promise<void> {
  const numbers = Array.from({ length: end - first }, (_, i) => first + i)
  const answers = await Promise.all(numbers.map((i) => node.get(`/click/${adId(i)}`)))
  for (const [i, answer] of answers.entries()) {
    t.is(answer.status, 302)
    t.is(answer.headers.get('location'), targetOf(first + i))
  }
}

async function lookups(node: Node): Promise<Record<string, number>> {
  const text = await (await node.get('/metrics')).text()
  const found = text.matchAll(
    /^clickledger_shared_cache_lookups_total\{.*result="(\w+)".*\} (\d+)/gm,
  )
  return Object.fromEntries([...found].map(([, result, count]) => [result, Number(count)]))
}

test.serial('what one life loaded, the next one takes from Redis', async (t) => {
  const settings = await setUp(t)
  const first = await startIngest(t, settings)
  await click(t, first, 0, 100)
  t.is((await lookups(first)).hit, 0)
  await first.close()
  const second = await startIngest(t, settings)
  let ad = 0
  const answered = await until(
    async () => {
      await click(t, second, ad, ad + 20)
      ad += 20
      const found = await lookups(second)
      return ad === 100 || (found.hit ?? 0) > 0 ? found : undefined
    },
    { everyMs: 500, what: 'they are asked for' },
  )
  t.log(answered)
  t.true((answered.hit ?? 0) > 0, 'nearly all of them, unless the machine stands still')
  t.is(answered.invalid, 0)
})

test.serial('Redis hung, killed, and back: every click is redirected', async (t) => {
  const settings = await setUp(t)
  const server = testServers().server('redis')
  const node = await startIngest(t, settings)
  await click(t, node, 0, 50)
  server.pause()
  try {
    for (let first = 50; first < 200; first += 50) await click(t, node, first, first + 50)
  } finally {
    server.resume()
  }
  const { timeout = 0, away = 0 } = await lookups(node)
  t.true(timeout + away >= 150, `${timeout} timeouts, ${away} away`)
  await server.kill()
  await click(t, node, 200, 300)
  await server.start()
  let ad = 300
  await until(
    async () => {
      await click(t, node, ad, ++ad)
      return ad === ads || ((await lookups(node)).miss ?? 0) > 50
    },
    { everyMs: 100, what: 'it is asked again' },
  )
  t.true(((await lookups(node)).miss ?? 0) > 50)
})
