// Redis as the shared cache, well and unwell: whatever it does, a lookup is answered.
import { randomBytes } from 'node:crypto'
import test, { type ExecutionContext } from 'ava'
import { createClient } from 'redis'
import type { ClickledgerError } from '#schemas/errors.ts'
import { openStack } from '../../infra/local/stack.ts'
import { startFaultyProxy } from '../../tests/support/faulty-proxy.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { until } from '../wait.ts'
import { testSharedCacheContract } from './contract.ts'
import type { Lookup, SharedCache } from './port.ts'
import { openRedisCache } from './redis.ts'

const stackUrl = (t: ExecutionContext) => stackSettings(t).CLICKLEDGER_REDIS_URL

async function open(t: ExecutionContext, url = stackUrl(t)) {
  const changes: boolean[] = []
  const cache = await openRedisCache({
    url,
    namespace: `t${randomBytes(5).toString('hex')}`,
    onChange: (isUp) => changes.push(isUp),
  })
  t.teardown(() => cache.close())
  return { cache, changes }
}

/** The same server by another way, which can be made bad. */
async function openShaky(t: ExecutionContext) {
  const url = new URL(stackUrl(t))
  const proxy = await startFaultyProxy(t, Number(url.port))
  url.port = String(proxy.port)
  return { proxy, ...(await open(t, url.href)) }
}

async function countKinds(cache: SharedCache, key: string, times: number) {
  const kinds: Record<Lookup['kind'], number> = { hit: 0, miss: 0, timeout: 0, away: 0 }
  for (let i = 0; i < times; i++) kinds[(await cache.get(key)).kind]++
  return kinds
}

const untilHit = (cache: SharedCache, key: string) =>
  until(
    async () => {
      await cache.set(key, 'x', 600_000)
      return (await cache.get(key)).kind === 'hit'
    },
    { what: 'it knows' },
  )

testSharedCacheContract(test.serial as typeof test, 'redis', {
  open: async (t) => (await open(t)).cache,
  remembers: true,
})

test.serial(
  'a hung server: few timeouts, then nothing is asked; it comes back by itself',
  async (t) => {
    const { proxy, cache, changes } = await openShaky(t)
    await cache.set('a', 'x', 600_000)
    await untilHit(cache, 'a')
    proxy.isHung = true
    const kinds = await countKinds(cache, 'a', 5_000)
    t.is(kinds.hit, 0)
    t.true(kinds.timeout >= 1 && kinds.timeout <= 16, `${kinds.timeout} timeouts`)
    t.true(kinds.away >= 4_900)
    for (let i = 0; i < 5_000; i++) void cache.set(`b${i}`, 'x', 60_000)
    await until(() => !cache.isUp, { what: 'the hung connection is given up' })
    t.is((await countKinds(cache, 'a', 1_000)).away, 1_000)
    proxy.isHung = false
    await until(() => cache.isUp, { what: 'it is connected again' })
    await untilHit(cache, 'a')
    t.true(
      changes.every((isUp, i) => isUp === (i % 2 === 0)),
      'told once each',
    )
  },
)

test.serial('a server that is killed, and one that is stopped, under lookups', async (t) => {
  const server = openStack(process.env.TEST_STACK ?? '').server('redis')
  const { cache, changes } = await open(t)
  await untilHit(cache, 'a')
  let answered = 0
  let isOver = false
  const lookups = (async () => {
    while (!isOver) {
      const lookup = await cache.get('a')
      if (lookup.kind === 'hit') t.is(lookup.value, 'x')
      answered++
      await new Promise((resolve) => setImmediate(resolve)) // `away` is known without any waiting
    }
  })()
  await server.kill()
  const before = answered
  await until(() => answered > before + 1_000, { what: 'lookups go on' })
  t.false(cache.isUp)
  await server.start()
  await until(() => cache.isUp, { what: 'connected to the new one' })
  await untilHit(cache, 'a')

  server.pause()
  try {
    const paused = answered
    await until(() => answered > paused + 1_000, { what: 'lookups go on' })
  } finally {
    server.resume()
  }
  await until(() => cache.isUp, { what: 'connected again' })
  await untilHit(cache, 'a')
  isOver = true
  await lookups
  t.is(changes[0], true)
  t.is(changes.at(-1), true)
})

test.serial('full, of the wrong type, spoiled: nothing worse than not knowing', async (t) => {
  const { proxy, cache } = await openShaky(t)
  const admin = createClient({ url: stackUrl(t) })
  admin.on('error', () => {})
  await admin.connect()
  t.teardown(() => admin.destroy())
  const namespace = `t${randomBytes(5).toString('hex')}`
  const direct = await openRedisCache({ url: stackUrl(t), namespace, onChange: () => {} })
  t.teardown(() => direct.close())
  await admin.lPush(`${namespace}:list`, 'x')
  t.is((await direct.get('list')).kind, 'miss')

  const [before] = Object.values(await admin.configGet('maxmemory'))
  const [policy] = Object.values(await admin.configGet('maxmemory-policy'))
  try {
    await admin.configSet({ maxmemory: '1', 'maxmemory-policy': 'noeviction' })
    t.false(await direct.set('a', 'x', 60_000), 'no room')
    t.true(direct.isUp, 'which is no reason to go')
  } finally {
    await admin.configSet({ maxmemory: before ?? '0', 'maxmemory-policy': policy ?? 'noeviction' })
  }
  t.true(await direct.set('a', 'x', 60_000))

  await untilHit(cache, 'k')
  proxy.toClient = () => Buffer.from('!! this is not RESP !!\r\n')
  t.not((await cache.get('k')).kind, 'hit')
  proxy.toClient = (bytes) => bytes
  await until(() => cache.isUp, { what: 'it is connected again' })
  await untilHit(cache, 'k')
})

test.serial(
  'at the start: wrong credentials stop it, a server that is away does not',
  async (t) => {
    const secret = 'a-secret-that-must-not-show'
    const wrong = new URL(stackUrl(t))
    wrong.password = secret
    const none = new URL(stackUrl(t))
    none.password = ''
    const database = new URL(stackUrl(t))
    database.pathname = '/9999'
    for (const url of [
      wrong.href,
      none.href,
      database.href,
      `http://${secret}`,
      `redis://u:%zz${secret}@127.0.0.1`,
    ]) {
      const error = await t.throwsAsync<ClickledgerError>(open(t, url), {
        code: 'invalid-settings',
      } as never)
      t.log(error?.message)
      t.true(error?.message.startsWith('CLICKLEDGER_REDIS_URL: '))
      t.false(JSON.stringify(error, Object.getOwnPropertyNames(error)).includes(secret))
    }
    const away = await open(t, 'redis://127.0.0.1:1')
    t.deepEqual(away.changes, [false])
    t.is((await away.cache.get('a')).kind, 'away')

    const url = new URL(stackUrl(t))
    const proxy = await startFaultyProxy(t, Number(url.port))
    url.port = String(proxy.port)
    proxy.isHung = true
    const late = await open(t, url.href)
    t.false(late.cache.isUp, 'the start does not wait for a server that hangs')
    proxy.isHung = false
    await until(() => late.cache.isUp, { what: 'it came later' })
    await untilHit(late.cache, 'a')
  },
)
