// What the S3 adapter does on bad days: half an upload, spoiled bytes, lost answers, a server that
// hangs, and settings that are wrong.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import test, { type ExecutionContext } from 'ava'
import type { ClickledgerError } from '#schemas/errors.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { type FaultyProxy, startFaultyProxy } from '../../tests/support/faulty-proxy.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import type { Settings } from '../config.ts'
import { until } from '../wait.ts'
import type { ObjectStore } from './port.ts'
import { openS3Store } from './s3.ts'
import { createS3Client } from './s3-client.ts'
import { partBytes } from './s3-uploads.ts'

async function openStore(t: ExecutionContext, settings: Settings): Promise<ObjectStore> {
  const store = await openS3Store({ settings })
  t.teardown(() => store.close())
  return store
}

interface Shaky {
  readonly proxy: FaultyProxy
  readonly settings: Settings
  /** Through the proxy. */
  readonly store: ObjectStore
  /** Past it. */
  readonly direct: ObjectStore
}

async function openShaky(t: ExecutionContext): Promise<Shaky> {
  const settings = stackSettings(t)
  const proxy = await startFaultyProxy(t, Number(new URL(settings.CLICKLEDGER_S3_ENDPOINT).port))
  const endpoint = `http://127.0.0.1:${proxy.port}`
  const store = await openStore(t, { ...settings, CLICKLEDGER_S3_ENDPOINT: endpoint })
  return { proxy, settings, store, direct: await openStore(t, settings) }
}

function randomFile(t: ExecutionContext, bytes: number) {
  const path = join(scratchDir(t), 'file.parquet')
  const content = randomBytes(bytes)
  writeFileSync(path, content)
  return { path, content }
}

const unavailable = { code: 'unavailable' } as never

test('a server that dies in mid upload leaves nothing to see, and later nothing at all', async (t) => {
  const { proxy, settings, store, direct } = await openShaky(t)
  const file = randomFile(t, 3 * partBytes + 12_345)
  proxy.toServer = (bytes) => {
    if (proxy.bytesIn < 1.5 * partBytes) return bytes
    proxy.isDown = true
    return undefined
  }
  await t.throwsAsync(store.put('raw/a.parquet', { path: file.path }), unavailable)
  t.true(proxy.isDown, 'it died while parts were on their way')
  t.is(await direct.get('raw/a.parquet'), undefined)
  proxy.isDown = false
  proxy.toServer = (bytes) => bytes
  await store.put('raw/a.parquet', { path: file.path })
  t.true((await direct.get('raw/a.parquet'))?.equals(file.content))
  t.true((await readFile(await store.localPath('raw/a.parquet'))).equals(file.content))

  const client = createS3Client(settings)
  t.teardown(() => client.destroy())
  await until(
    async () => {
      const listed = await client.send(
        new ListMultipartUploadsCommand({
          Bucket: settings.CLICKLEDGER_S3_BUCKET,
          Prefix: `${settings.CLICKLEDGER_NAMESPACE}/`,
        }),
      )
      return (listed.Uploads ?? []).length === 0
    },
    { what: 'the half upload is aborted' },
  )
})

test('files of every size around a part come back', async (t) => {
  const store = await openStore(t, stackSettings(t))
  for (const bytes of [0, 1, partBytes, partBytes + 1]) {
    const file = randomFile(t, bytes)
    await store.put(`size/${bytes}`, { path: file.path })
    t.true((await store.get(`size/${bytes}`))?.equals(file.content), `${bytes} bytes`)
  }
})

test('bytes spoiled on the way are refused by the server', async (t) => {
  const { proxy, store, direct } = await openShaky(t)
  const content = Buffer.alloc(100_000, 'a')
  const spoil = (bytes: Buffer) => {
    const at = bytes.indexOf('aaaaaaaa')
    if (at < 0) return bytes
    const spoiled = Buffer.from(bytes)
    spoiled[at] = 'b'.charCodeAt(0)
    return spoiled
  }
  proxy.toServer = spoil
  await t.throwsAsync(store.put('spoiled', content), unavailable)
  t.is(await direct.get('spoiled'), undefined)
  proxy.toServer = (bytes) => bytes
  await store.put('spoiled', content)

  proxy.toClient = spoil
  await t.throwsAsync(store.get('spoiled'), unavailable, 'nor are they taken from the server')
  await t.throwsAsync(store.localPath('spoiled'), unavailable)
  proxy.toClient = (bytes) => bytes
  t.true((await store.get('spoiled'))?.equals(content))
})

test('put if absent: a lost answer does not make another the winner', async (t) => {
  const { proxy, store, direct } = await openShaky(t)
  let lost = 0
  proxy.toClient = (bytes) => (lost++ === 0 ? undefined : bytes)
  t.true(await store.putIfAbsent('manifest', Buffer.from('ours')))
  t.true(lost > 1, 'the first answer was lost')
  t.false(await direct.putIfAbsent('manifest', Buffer.from('ours')), 'the same bytes by another')

  for (let round = 0; round < 5; round++) {
    const key = `race/${round}`
    let answers = 0
    proxy.toClient = (bytes) => (answers++ % 4 === 0 ? undefined : bytes)
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const through = i % 2 === 0 ? store : direct
        return through.putIfAbsent(key, Buffer.from('all the same')).catch(() => 'unknown')
      }),
    )
    const winners = made.filter((result) => result === true).length
    const unknown = made.filter((result) => result === 'unknown').length
    t.true(winners === 1 || (winners === 0 && unknown > 0), `${winners} won, ${unknown} unknown`)
  }
})

test('a hung server is an error in bounded time, and nothing to repair afterwards', async (t) => {
  const { proxy, store } = await openShaky(t)
  await store.put('a', Buffer.from('x'))
  proxy.isHung = true
  await t.throwsAsync(store.get('a'), unavailable)
  await t.throwsAsync(store.put('b', Buffer.from('y')), unavailable)
  proxy.isHung = false
  t.is((await store.get('a'))?.toString(), 'x')
  await store.put('b', Buffer.from('y'))
})

test('a replaced object is not served from the copy of the old one', async (t) => {
  const settings = stackSettings(t)
  const store = await openStore(t, settings)
  const other = await openStore(t, settings)
  await store.put('a.json', Buffer.from('old'))
  const old = await store.localPath('a.json')
  await other.put('a.json', Buffer.from('new'))
  t.is(await readFile(await store.localPath('a.json'), 'utf8'), 'new')
  t.is(await readFile(await other.localPath('a.json'), 'utf8'), 'new')
  t.is(await readFile(old, 'utf8'), 'old', 'who reads the old one goes on reading it')
})

test('odd keys and many keys', async (t) => {
  const store = await openStore(t, stackSettings(t))
  const odd = [
    "ü ñ/+&=;%2F%25?#*'(x)!~$,@:[]{}|^`<>.json",
    'year=2026/hour=05/p1-0-10.parquet',
    '日/本',
  ]
  for (const key of odd) {
    await store.put(key, Buffer.from(key))
    t.is((await store.get(key))?.toString(), key)
    t.is(await readFile(await store.localPath(key), 'utf8'), key)
  }
  const listed: string[] = []
  for await (const { key } of store.list('')) listed.push(key)
  t.deepEqual(listed, [...odd].sort())

  const many = Array.from({ length: 1_100 }, (_, i) => `many/${String(i).padStart(5, '0')}`)
  for (let i = 0; i < many.length; i += 25) {
    await Promise.all(many.slice(i, i + 25).map((key) => store.put(key, Buffer.from('x'))))
  }
  const paged: string[] = []
  for await (const { key } of store.list('many/', many[9])) paged.push(key)
  t.deepEqual(paged, many.slice(10))
  for (const key of odd) await store.remove(key)
  t.is(await store.get(odd[0] ?? ''), undefined)
})

test('wrong settings stop the start with one message that names them', async (t) => {
  const settings = stackSettings(t)
  const foreign = createServer((_, answer) => answer.writeHead(404).end('<html>not here</html>'))
  await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
  t.teardown(() => foreign.close())
  const foreignUrl = `http://127.0.0.1:${(foreign.address() as AddressInfo).port}`
  const secret = 'a-secret-that-must-not-show'
  const wrong: [string, Partial<Settings>][] = [
    ['CLICKLEDGER_S3_BUCKET', { CLICKLEDGER_S3_BUCKET: 'no-such-bucket' }],
    ['CLICKLEDGER_S3_BUCKET', { CLICKLEDGER_S3_BUCKET: 'No_Bucket!' }],
    ['CLICKLEDGER_S3_ACCESS_KEY', { CLICKLEDGER_S3_ACCESS_KEY: secret }],
    ['CLICKLEDGER_S3_SECRET_KEY', { CLICKLEDGER_S3_SECRET_KEY: secret }],
    ['CLICKLEDGER_S3_ACCESS_KEY', { CLICKLEDGER_S3_SECRET_KEY: '' }],
    ['CLICKLEDGER_S3_REGION', { CLICKLEDGER_S3_REGION: 'eu-north-1' }],
    ['CLICKLEDGER_S3_ENDPOINT', { CLICKLEDGER_S3_ENDPOINT: 'http://127.0.0.1:1' }],
    ['CLICKLEDGER_S3_ENDPOINT', { CLICKLEDGER_S3_ENDPOINT: 'http://no-such-host.invalid' }],
    ['CLICKLEDGER_S3_ENDPOINT', { CLICKLEDGER_S3_ENDPOINT: 'not a URL' }],
    ['CLICKLEDGER_S3_ENDPOINT', { CLICKLEDGER_S3_ENDPOINT: foreignUrl }],
  ]
  for (const [name, change] of wrong) {
    const error = await t.throwsAsync<ClickledgerError>(
      openS3Store({ settings: { ...settings, ...change } }),
      undefined,
      name,
    )
    t.log(error?.code, error?.message)
    t.true(['invalid-settings', 'unavailable'].includes(error?.code ?? ''))
    t.true(error?.message.startsWith(name), `${name}: ${error?.message}`)
    const shown = JSON.stringify(error, Object.getOwnPropertyNames(error))
    t.false(shown.includes(secret))
  }
})
