import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { scratchDir } from '../../tests/support/contract.ts'
import { openLocalCache } from './local-cache.ts'

const bytes = 1_000

function createOrigin() {
  const fetched: string[] = []
  const file = (name: string) => ({
    name,
    bytes,
    async fetch(path: string) {
      fetched.push(name)
      await writeFile(path, name.padEnd(bytes))
    },
  })
  return { fetched, file }
}

const cachedIn = (dir: string) => readdirSync(join(dir, 'files')).sort()

test('one fetch for all who ask, and none for another handle', async (t) => {
  const dir = scratchDir(t)
  const { fetched, file } = createOrigin()
  const one = await openLocalCache({ dir, bytesMax: 10 * bytes })
  const two = await openLocalCache({ dir, bytesMax: 10 * bytes })
  await Promise.all([one.path(file('a')), one.path(file('a'))])
  const path = await two.path(file('a'))
  t.deepEqual(fetched, ['a'])
  await one.close()
  t.is(readFileSync(path, 'utf8').trim(), 'a', "one's close takes nothing from two")
  await two.close()
  t.false(existsSync(path))
  t.deepEqual(cachedIn(dir), ['a'], 'it stays for whoever comes next')
})

test('bounded: the longest unused goes first, what is in use stays', async (t) => {
  const dir = scratchDir(t)
  const { fetched, file } = createOrigin()
  const bytesMax = 10 * bytes
  const holder = await openLocalCache({ dir, bytesMax })
  const held = await holder.path(file('held'))
  utimesSync(held, 0, 0) // by its age it would be the first to go
  for (let i = 0; i < 40; i++) {
    const user = await openLocalCache({ dir, bytesMax })
    await user.path(file(`f${i}`))
    await user.path(file('often'))
    await user.close()
    // The clock of the file system may be too coarse to order what happens within a test.
    utimesSync(join(dir, 'files', `f${i}`), i, i)
    const all = cachedIn(dir).reduce(
      (sum, name) => sum + statSync(join(dir, 'files', name)).size,
      0,
    )
    t.true(all <= bytesMax, `${all} bytes after ${i}`)
  }
  t.is(fetched.filter((name) => name === 'often').length, 1)
  t.true(cachedIn(dir).includes('f39'))
  t.false(cachedIn(dir).includes('f0'))
  t.true(cachedIn(dir).includes('held'))
  t.is(readFileSync(held, 'utf8').trim(), 'held')
  await holder.close()
})

test('a fetch that fails leaves nothing, and the next one tries again', async (t) => {
  const dir = scratchDir(t)
  const cache = await openLocalCache({ dir, bytesMax: 10 * bytes })
  const { file } = createOrigin()
  const failing = {
    ...file('a'),
    async fetch(path: string) {
      await writeFile(path, 'half')
      throw new Error('the line is cut')
    },
  }
  await t.throwsAsync(cache.path(failing), { message: /cut/ })
  t.deepEqual(cachedIn(dir), [])
  const left = readdirSync(join(dir, 'users'), { recursive: true }).map(String)
  t.deepEqual(
    left.filter((name) => name.includes('partial')),
    [],
  )
  t.is(readFileSync(await cache.path(file('a')), 'utf8').trim(), 'a')
  await cache.close()
})

test('what the dead left is swept, what the living hold is not', async (t) => {
  const dir = scratchDir(t)
  const { file } = createOrigin()
  const living = await openLocalCache({ dir, bytesMax: 10 * bytes })
  const path = await living.path(file('a'))
  const dead = join(dir, 'users', 'dead')
  mkdirSync(dead)
  const longAgo = new Date(Date.now() - 3_600_000)
  for (const name of readdirSync(join(dir, 'users'))) {
    utimesSync(join(dir, 'users', name), longAgo, longAgo)
  }
  const next = await openLocalCache({ dir, bytesMax: 10 * bytes })
  t.false(existsSync(dead))
  t.true(existsSync(path))
  await living.close()
  await next.close()
})
