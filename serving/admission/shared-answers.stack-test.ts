// Answers that serving processes share, over a real Redis: taken under their seal, and nobody waits for
// a server that is away.
import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { openRedisCache } from '#platform/shared-cache/redis.ts'
import { until } from '#platform/wait.ts'
import { startFaultyProxy } from '../../tests/support/faulty-proxy.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { createSharedAnswers } from './shared-answers.ts'

const namespace = `t${randomBytes(5).toString('hex')}`

/** What a serving process opens. */
async function open(t: ExecutionContext, secret: string, url?: string) {
  const { CLICKLEDGER_REDIS_URL } = stackSettings(t)
  const cache = await openRedisCache({
    ...{ url: url ?? CLICKLEDGER_REDIS_URL, namespace, onChange: () => {} },
  })
  t.teardown(() => cache.close())
  return createSharedAnswers({ cache, sealKey: Buffer.from(secret), ttlMs: 600_000 })
}

const found = { what: 'the answer is shared' }

test('what one process answered, the next one takes; not under another secret', async (t) => {
  const [one, two, stranger] = [await open(t, 's'), await open(t, 's'), await open(t, 'other')]
  const answer = { rows: [{ time: 1, dimensions: { city: 'Żory 🏙' }, metrics: {} }] }
  await until(async () => {
    one.set('q', answer)
    return (await two.get('q')) !== undefined
  }, found)
  t.deepEqual(await two.get('q'), answer)
  t.is(await stranger.get('q'), undefined)
  t.is(await two.get('another'), undefined)
})

test('a server that hangs is no answer, and none that is waited for', async (t) => {
  const url = new URL(stackSettings(t).CLICKLEDGER_REDIS_URL)
  const proxy = await startFaultyProxy(t, Number(url.port))
  url.port = String(proxy.port)
  const answers = await open(t, 's', url.href)
  await until(async () => {
    answers.set('hung', [1])
    return (await answers.get('hung')) !== undefined
  }, found)
  proxy.isHung = true
  t.is(await answers.get('hung'), undefined)
})
