import { writeFileSync } from 'node:fs'
import test from 'ava'
import { createKeyLookup } from '#platform/api-keys.ts'
import { readSettings } from '#platform/config.ts'
import { dataPaths, openCatalogue } from '#platform/stack.ts'
import { announceInstance, withInstance } from './session.ts'
import { startFake } from './testing/fake-instance.ts'
import { temporaryDir } from './testing/files.ts'

const settingsIn = (dir: string, more: Record<string, string> = {}) =>
  readSettings({ CLICKLEDGER_DATA_DIR: dir, ...more })
const neverStart = async () => {
  throw new Error('started an instance')
}

test('a URL needs a key, and both reach the work', async (t) => {
  const fake = await startFake(t)
  const settings = settingsIn(temporaryDir(t))
  const options = { settings, url: fake.url }
  await t.throwsAsync(
    withInstance(options, async () => 1, neverStart),
    { name: 'WrongUse' },
  )
  const seen = await withInstance(
    { ...options, key: fake.key },
    async ({ api, ingestUrl }) => [(await api.get('/v1/ads')) !== undefined, await ingestUrl()],
    neverStart,
  )
  t.deepEqual(seen, [true, fake.url], 'the status says where ingest is')
})

test('the instance on the data directory is used, with a key that ends with the work', async (t) => {
  const fake = await startFake(t)
  const settings = settingsIn(temporaryDir(t))
  const catalogue = await openCatalogue(settings)
  t.teardown(() => catalogue.close())
  announceInstance(settings, { ingestUrl: 'http://127.0.0.1:1', servingUrl: fake.url })
  const key = await withInstance(
    { settings },
    async (session) => {
      t.false(session.isPrivate)
      t.is(await session.ingestUrl(), 'http://127.0.0.1:1')
      const found = await createKeyLookup(catalogue, Date.now)(session.key)
      t.is(found?.role, 'admin')
      return session.key
    },
    neverStart,
  )
  t.is(await createKeyLookup(catalogue, Date.now)(key), undefined)
})

test('a dead instance is not used: a private one is started, on free ports, and closed', async (t) => {
  const fake = await startFake(t)
  const settings = settingsIn(temporaryDir(t))
  await (await openCatalogue(settings)).close()
  const { instance } = dataPaths(settings)
  // Alive, but another program: nothing answers there.
  const stale = { pid: process.pid, ingestUrl: '', servingUrl: 'http://127.0.0.1:1' }
  writeFileSync(instance, JSON.stringify(stale))
  let closed = 0
  await t.throwsAsync(
    withInstance(
      { settings },
      async ({ isPrivate, ingestUrl }) => {
        t.true(isPrivate)
        t.is(await ingestUrl(), fake.url)
        throw new Error('the work failed')
      },
      async (given) => {
        t.is(given.CLICKLEDGER_INGEST_PORT, 0)
        t.is(given.CLICKLEDGER_SERVING_PORT, 0)
        const close = async () => {
          closed += 1
        }
        return { ingestUrl: fake.url, servingUrl: fake.url, close }
      },
    ),
    { message: 'the work failed' },
  )
  t.is(closed, 1)
})
