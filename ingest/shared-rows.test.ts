// What another node loaded is used, but never believed beyond its seal, its key and its time.
import { createHmac } from 'node:crypto'
import test from 'ava'
import type { Lookup, SharedCache } from '#platform/shared-cache/port.ts'
import { createDirectory } from './directory.ts'
import { createSharedRowCounts, createSharedRows } from './shared-rows.ts'

interface Row {
  readonly target: string
}

const sealKey = Buffer.alloc(32, 7)
const isRow = (value: object): value is Row => typeof (value as Row).target === 'string'

/** A cache that a test can look into, and spoil. */
function createFakeCache() {
  const entries = new Map<string, string>()
  const cache: SharedCache = {
    isUp: true,
    async get(key): Promise<Lookup> {
      const value = entries.get(key)
      return value === undefined ? { kind: 'miss' } : { kind: 'hit', value }
    },
    async set(key, value) {
      entries.set(key, value)
      return true
    },
    close: async () => {},
  }
  return { entries, cache }
}

function setUp() {
  const { entries, cache } = createFakeCache()
  const rows = new Map<string, Row>([
    ['a', { target: 'https://shop.example/a' }],
    ['b', { target: 'https://shop.example/b' }],
  ])
  const state = { now: 1_000_000, loads: 0 }
  const counts = createSharedRowCounts()
  /** A node: a directory of its own on the shared cache. */
  const openNode = (key: Uint8Array = sealKey) => {
    const now = () => state.now
    const share = createSharedRows({ cache, sealKey: key, counts, now })
    return createDirectory(
      share('ad', isRow, async (id) => {
        state.loads++
        return rows.get(id)
      }),
      now,
    )
  }
  return { entries, rows, state, counts, openNode }
}

test('one node loads, the others take it from the cache', async (t) => {
  const { rows, state, counts, openNode } = setUp()
  for (let i = 0; i < 5; i++) t.deepEqual(await openNode().get('a'), rows.get('a'))
  t.is(state.loads, 1)
  t.is(counts.lookups.hit, 4)
  t.is(await openNode().get('none'), undefined)
  t.is(await openNode().get('none'), undefined)
  t.is(state.loads, 3, 'what does not exist is not shared: it may be made at any moment')
})

test('a changed target is seen within 30 s, through however many nodes it went', async (t) => {
  const { rows, state, openNode } = setUp()
  await openNode().get('a')
  rows.set('a', { target: 'https://shop.example/new' })
  state.now += 20_000
  const second = openNode()
  t.is((await second.get('a'))?.target, 'https://shop.example/a')
  state.now += 9_999
  t.is((await second.get('a'))?.target, 'https://shop.example/a')
  t.is((await openNode().get('a'))?.target, 'https://shop.example/a')
  state.now += 1
  t.is((await second.get('a'))?.target, 'https://shop.example/new')
  t.is((await openNode().get('a'))?.target, 'https://shop.example/new')
})

test('what no node of ours sealed, for this key and this time, goes to the catalogue', async (t) => {
  const { entries, rows, state, counts, openNode } = setUp()
  await openNode().get('a')
  await openNode().get('b')
  const sealed = entries.get('ad:a') ?? ''
  const bodyOf = (text: string) => JSON.parse(text.slice(text.indexOf('.') + 1))
  const seal = (body: object, key = sealKey, cacheKey = 'ad:a') => {
    const text = JSON.stringify(body)
    const mac = createHmac('sha256', key).update(`${cacheKey}\n${text}`).digest('base64url')
    return `${mac}.${text}`
  }
  t.is(seal(bodyOf(sealed)), sealed, 'this test seals as the nodes do')
  const evil = { target: 'https://evil.example/' }
  const spoiled = [
    '',
    '.',
    'garbage',
    'x'.repeat(1_000_000),
    sealed.slice(1),
    sealed.replace('shop', 'evil'),
    `.${JSON.stringify({ ...bodyOf(sealed), row: evil })}`,
    seal({ ...bodyOf(sealed), row: evil }, Buffer.alloc(32, 8)),
    entries.get('ad:b') ?? '',
    seal({ ...bodyOf(sealed), version: 2 }),
    seal({ ...bodyOf(sealed), row: { no: 'target' } }),
    seal({ ...bodyOf(sealed), row: null }),
    seal({ ...bodyOf(sealed), readAt: state.now - 30_000 }),
    seal({ ...bodyOf(sealed), readAt: state.now + 60_000 }),
    seal({ ...bodyOf(sealed), readAt: 'now' }),
  ]
  for (const [i, text] of spoiled.entries()) {
    entries.set('ad:a', text)
    const before = counts.lookups.invalid
    t.deepEqual(await openNode().get('a'), rows.get('a'), `${i}: ${text.slice(0, 80)}`)
    t.is(counts.lookups.invalid, before + 1, `${i}`)
    t.is(entries.get('ad:a'), sealed, 'and it is put right')
  }
})
