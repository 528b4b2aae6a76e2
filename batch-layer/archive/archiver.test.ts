// The archive's promise: whatever fails and whoever else archives, the files that manifests name
// hold each offset exactly once, and the chain has no hole.
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test, { type ExecutionContext } from 'ava'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { readSettings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import { openCatalogue, openEventLog, openObjectStore } from '#platform/stack.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import { manifestPath } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { catalogueEnv } from '../../tests/support/catalogue.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { gappedLog } from '../../tests/support/gapped-log.ts'
import { clickWith, seed } from '../../tests/support/random-clicks.ts'
import { archivedEnds, syncIndex } from './archive-index.ts'
import { openArchiver } from './archiver.ts'
import { type Feed, judgedFeed } from './feeds.ts'
import { readChain } from './manifest.ts'

const start = Date.UTC(2026, 4, 1, 10, 59)
const clicks = 400

interface Parts {
  readonly log: EventLog
  readonly objects: ObjectStore
  readonly catalogue: Catalogue
  readonly scratch: string
}

/** A small generator of repeatable randomness. */
function createRandom(from: number) {
  let state = from >>> 0 || 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

async function setUp(t: ExecutionContext): Promise<Parts> {
  t.log(`seed ${seed}`)
  const scratch = scratchDir(t)
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: scratch,
    CLICKLEDGER_PARTITIONS: '1',
    ...catalogueEnv(),
  })
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, Date.now)
  const objects = await openObjectStore(settings)
  t.teardown(async () => {
    await log.close()
    await catalogue.close()
  })
  const records = Array.from({ length: clicks }, (_, i) => {
    const event_time = start + i * 1_000
    const click = clickWith({
      event_id: `id-${i}`,
      ad_id: 'ad',
      event_time,
      received_time: event_time,
    })
    const bytes = i % 50 === 7 ? Buffer.from('not a click') : encodeRawClick(click)
    return { key: 'ad:1', value: bytes, timestamp: Date.now() }
  })
  await log.append(topics.raw.name, records)
  return { log, objects, catalogue, scratch }
}

const open = (parts: Parts & { readonly feed?: Feed }, name: string) =>
  openArchiver({
    ...parts,
    scratch: join(parts.scratch, name),
    ...{ partition: 0, partitions: 1, now: Date.now },
    ...{ intervalMs: 0, rowsMax: 1e6, memoryBytes: 256 * 1024 * 1024 },
  })

/** Offsets in the files that the index names, in order. */
async function archivedOffsets({ catalogue, objects }: Parts): Promise<number[]> {
  const files = await catalogue.query<{ path: string }>('SELECT path FROM archive_files')
  const paths: string[] = []
  for (const { path } of files) paths.push(`'${await objects.localPath(path)}'`)
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  const rows = await connection.runAndReadAll(
    `SELECT raw_offset FROM read_parquet([${paths.join(', ')}]) ORDER BY raw_offset`,
  )
  connection.closeSync()
  db.closeSync()
  return rows.getRows().map(([offset]) => Number(offset))
}

const decodable = Array.from({ length: clicks }, (_, i) => i).filter((i) => i % 50 !== 7)

/** Calls of an object that fail at random, before or after they took effect. */
function flaky<T extends object>(
  target: T,
  methods: readonly (keyof T)[],
  random: () => number,
): T {
  return new Proxy(target, {
    get(object, name, receiver) {
      const value = Reflect.get(object, name, receiver)
      if (!methods.includes(name as keyof T) || typeof value !== 'function') return value
      return async (...args: unknown[]) => {
        if (random() < 0.15) throw new Error('injected: before it happened')
        const result = await value.apply(object, args)
        if (random() < 0.15) throw new Error('injected: after it happened')
        return result
      }
    },
  })
}

test('each offset once, whatever fails in between', async (t) => {
  const parts = await setUp(t)
  const random = createRandom(seed)
  const shaky = {
    ...parts,
    objects: flaky(parts.objects, ['put', 'putIfAbsent'], random),
    catalogue: flaky(parts.catalogue, ['transaction'], random),
  }
  // Small reads make many manifests: the log is read through a reader that gives little at a time.
  const log: EventLog = {
    ...parts.log,
    reader: async (...args) => {
      const reader = await parts.log.reader(...args)
      return {
        read: (_max, waitMs) => reader.read(1 + Math.floor(random() * 40), waitMs),
        close: () => reader.close(),
        get position() {
          return reader.position
        },
      }
    },
  }
  for (let lives = 0; lives < 200; lives++) {
    // Each life ends with the first failure, as a process would.
    try {
      await syncIndex(shaky.catalogue, shaky.objects, 1)
      const archiver = await open({ ...shaky, log }, `life-${lives}`)
      while (archiver.archivedEnd < clicks) await archiver.step(0)
      break
    } catch (error) {
      t.regex((error as Error).message, /injected/)
    }
  }
  t.deepEqual(await archivedEnds(parts.catalogue, 1), [clicks])
  t.deepEqual(await archivedOffsets(parts), decodable)
  const chain = await readChain(parts.objects, 0, 0)
  t.is(
    chain.reduce((sum, m) => sum + m.undecodable, 0),
    clicks - decodable.length,
  )
})

test('two archivers at once: one chain, each offset once', async (t) => {
  const parts = await setUp(t)
  const [one, two] = [await open(parts, 'one'), await open(parts, 'two')]
  for (let i = 0; i < 20; i++) await Promise.all([one.step(0), two.step(0)])
  t.is(one.archivedEnd, clicks)
  t.is(two.archivedEnd, clicks)
  t.deepEqual(await archivedOffsets(parts), decodable)
})

test('offsets without records make no hole in the chain', async (t) => {
  const parts = await setUp(t)
  const archiver = await open({ ...parts, log: gappedLog(parts.log) }, 'one')
  while (archiver.archivedEnd < 2 * clicks) await archiver.step(0)
  t.is(archiver.archivedEnd, 2 * clicks)
  t.deepEqual(
    await archivedOffsets(parts),
    decodable.map((offset) => 2 * offset),
  )
  t.is((await readChain(parts.objects, 0, 0)).at(-1)?.end, 2 * clicks)
})

test('what the log no longer holds is told, and not passed over', async (t) => {
  const parts = await setUp(t)
  const held = 10
  const log: EventLog = {
    ...parts.log,
    offsetAt: async () => held,
    reader: (topic, partition, from) => parts.log.reader(topic, partition, Math.max(from, held)),
  }
  const archiver = await open({ ...parts, log }, 'one')
  await t.throwsAsync(archiver.step(0), { code: 'archive-gap', message: /offsets 0 to 9/ })
  t.is(archiver.archivedEnd, 0)
  t.deepEqual(await readChain(parts.objects, 0, 0), [])
})

test('a lost index is made again from the manifests', async (t) => {
  const parts = await setUp(t)
  const archiver = await open(parts, 'one')
  while (archiver.archivedEnd < clicks) await archiver.step(0)
  const files = () =>
    parts.catalogue.query('SELECT path, hour, clicks FROM archive_files ORDER BY path')
  const before = await files()
  for (const table of ['archive_files', 'archive_manifests', 'archive_hours']) {
    await parts.catalogue.query(`DELETE FROM ${table}`)
  }
  t.deepEqual(await syncIndex(parts.catalogue, parts.objects, 1), [clicks])
  t.deepEqual(await files(), before)
})

test('a hole in the chain is told with its offsets', async (t) => {
  const parts = await setUp(t)
  await parts.objects.putIfAbsent(
    manifestPath(0, 0),
    Buffer.from(JSON.stringify({ partition: 0, first: 0, end: 10, files: [] })),
  )
  await parts.objects.putIfAbsent(
    manifestPath(0, 25),
    Buffer.from(JSON.stringify({ partition: 0, first: 25, end: 30, files: [] })),
  )
  await t.throwsAsync(readChain(parts.objects, 0, 0), {
    code: 'archive-gap',
    message: /10 to 24/,
  } as never)
  await parts.objects.put(manifestPath(0, 10), Buffer.from('{"half'))
  await t.throwsAsync(readChain(parts.objects, 0, 0), { message: /not a manifest; restore/ })
})

test('verdicts are archived apart: paths, chain and index of their own, raw ones untouched', async (t) => {
  const parts = await setUp(t)
  const verdict = (offset: number, event_time: number) =>
    JSON.stringify({
      ...clickWith({ event_id: `id-${offset}`, event_time }),
      status: 'valid',
      rule: '',
    })
  const values = [
    'nonsense',
    '[]',
    verdict(1, start),
    verdict(2, start + 3_600_000),
    '{"event_id":7}',
  ]
  const records = values.map((value, i) => ({
    ...{ key: 'ad:1', value: Buffer.from(value), timestamp: start + i },
  }))
  await parts.log.append(topics.judged.name, records)
  const archiver = await open({ ...parts, feed: judgedFeed }, 'judged')
  while (archiver.archivedEnd < records.length) await archiver.step(0)
  const [manifest] = await readChain(parts.objects, 0, 0, 'judged')
  t.like(manifest, { first: 0, end: 5, undecodable: 3 })
  t.deepEqual(
    manifest?.files.map(({ path }) => path),
    [
      'judged/year=2026/month=05/day=01/hour=10/p0-0-5.parquet',
      'judged/year=2026/month=05/day=01/hour=11/p0-0-5.parquet',
    ],
  )
  t.deepEqual(await archivedEnds(parts.catalogue, 1, 'judged'), [5])
  t.deepEqual(await archivedEnds(parts.catalogue, 1), [0])
  t.deepEqual(await readChain(parts.objects, 0, 0), [])
})

test('verdicts that the log gave up before their archive began are passed over, and since when is kept', async (t) => {
  const parts = await setUp(t)
  const held = 10
  const records = Array.from({ length: 20 }, (_, i) => ({
    ...{ key: 'ad:1', value: Buffer.from('nonsense'), timestamp: start + i },
  }))
  await parts.log.append(topics.judged.name, records)
  const log: EventLog = { ...parts.log, offsetAt: async () => held }
  const archiver = await open({ ...parts, log, feed: judgedFeed }, 'judged')
  t.is(archiver.archivedEnd, held)
  while (archiver.archivedEnd < 20) await archiver.step(0)
  const chain = await readChain(parts.objects, 0, 0, 'judged')
  t.deepEqual(
    chain.map(({ first, end }) => [first, end]),
    [
      [0, held],
      [held, 20],
    ],
  )
  const [row] = await parts.catalogue.query('SELECT held_since FROM judged_version')
  t.is(Number(row?.held_since), start + held)
})
