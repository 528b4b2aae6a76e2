// The S3 server dies for real while an object is on its way: it is there whole, or not at all.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { openS3Store } from '#platform/object-store/s3.ts'
import { partBytes } from '#platform/object-store/s3-uploads.ts'
import { scratchDir } from '../../support/contract.ts'
import { startFaultyProxy } from '../../support/faulty-proxy.ts'
import { stackSettings, testServers } from '../../support/stack.ts'

const parts = 4

test('killed in mid upload: whole or not there, and put again it is whole', async (t) => {
  const server = testServers().server('s3')
  const settings = stackSettings(t)
  const content = randomBytes(parts * partBytes)
  const path = join(scratchDir(t), 'large')
  writeFileSync(path, content)
  for (const share of [0.2, 0.6, 0.99]) {
    const proxy = await startFaultyProxy(t, server.port)
    const endpoint = `http://127.0.0.1:${proxy.port}`
    const store = await openS3Store({
      settings: { ...settings, CLICKLEDGER_S3_ENDPOINT: endpoint },
    })
    let killed: Promise<void> | undefined
    proxy.toServer = (bytes) => {
      if (!killed && proxy.bytesIn > share * content.length) killed = server.kill()
      return bytes
    }
    const key = `raw/${share}.parquet`
    const isPut = await store.put(key, { path }).then(
      () => true,
      (error) => {
        t.is(error.code, 'unavailable')
        return false
      },
    )
    await killed
    t.truthy(killed, 'it was killed while the object was on its way')
    await server.start()
    const seen = await store.get(key)
    t.true(seen === undefined ? !isPut : seen.equals(content))
    await store.put(key, { path })
    t.true((await store.get(key))?.equals(content))
    await store.close()
  }
})
