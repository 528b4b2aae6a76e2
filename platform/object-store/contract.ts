// The contract of an object store, run unchanged over every adapter.
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExecutionContext, TestFn } from 'ava'
import fc from 'fast-check'
import { scratchDir } from '../../tests/support/contract.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import type { ObjectStore } from './port.ts'

export interface ObjectStoreContract {
  open(t: ExecutionContext): Promise<ObjectStore>
}

async function keysOf(store: ObjectStore, prefix: string, startAfter?: string): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, startAfter)) keys.push(key)
  return keys
}

export function testObjectStoreContract(
  test: TestFn,
  name: string,
  contract: ObjectStoreContract,
): void {
  test(`${name}: an object comes back, whole and in ranges`, async (t) => {
    const store = await contract.open(t)
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, i) => i % 251))
    await store.put('a/b=1/c.bin', bytes)
    t.deepEqual(await store.get('a/b=1/c.bin'), bytes)
    t.deepEqual(await store.getRange('a/b=1/c.bin', 100, 350), bytes.subarray(100, 350))
    t.deepEqual(await store.getRange('a/b=1/c.bin', 9_990, 20_000), bytes.subarray(9_990))
    t.is(await store.get('a/b=1/none'), undefined)
    t.is(await store.getRange('none', 0, 1), undefined)
    const file = join(scratchDir(t), 'local')
    writeFileSync(file, 'from a file')
    await store.put('a/b=1/c.bin', { path: file })
    t.is((await store.get('a/b=1/c.bin'))?.toString(), 'from a file')
    t.is(await readFile(await store.localPath('a/b=1/c.bin'), 'utf8'), 'from a file')
    await t.throwsAsync(store.localPath('missing.parquet'), { message: /missing\.parquet/ })
    await store.remove('a/b=1/c.bin')
    await store.remove('a/b=1/c.bin')
    t.is(await store.get('a/b=1/c.bin'), undefined)
  })

  test(`${name}: of many who put if absent, one makes the object`, async (t) => {
    const store = await contract.open(t)
    const made = await Promise.all(
      Array.from({ length: 20 }, (_, i) => store.putIfAbsent('race/one', Buffer.from(`from ${i}`))),
    )
    t.is(made.filter(Boolean).length, 1)
    t.is((await store.get('race/one'))?.toString(), `from ${made.indexOf(true)}`)
    t.false(await store.putIfAbsent('race/one', Buffer.from('late')))
  })

  test(`${name}: lists are complete, in order, by any prefix and start`, async (t) => {
    const store = await contract.open(t)
    const segment = fc.stringMatching(/^[a-z0-9=]{1,3}$/)
    const keys = fc.sample(
      fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `${parts.join('/')}.x`),
      { numRuns: 60, seed },
    )
    for (const key of keys) await store.put(key, Buffer.from(key))
    const all = [...new Set(keys)].sort()
    t.deepEqual(await keysOf(store, ''), all)
    for (const key of all.slice(0, 15)) {
      const prefix = key.slice(0, 2)
      t.deepEqual(
        await keysOf(store, prefix),
        all.filter((k) => k.startsWith(prefix)),
      )
      t.deepEqual(
        await keysOf(store, '', key),
        all.filter((k) => k > key),
      )
      t.deepEqual(
        await keysOf(store, prefix, key),
        all.filter((k) => k.startsWith(prefix) && k > key),
      )
    }
  })

  test(`${name}: keys cannot leave the store`, async (t) => {
    const store = await contract.open(t)
    for (const key of ['../outside', 'a/../../outside', '', '/etc/passwd']) {
      await t.throwsAsync(store.put(key, Buffer.from('x')), { message: /not an object key/ }, key)
    }
  })
}
