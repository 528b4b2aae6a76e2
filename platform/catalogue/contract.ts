// The contract of a catalogue, run unchanged over every adapter.
import { randomUUID } from 'node:crypto'
import type { ExecutionContext, TestFn } from 'ava'
import type { LayerName } from '#schemas/heartbeats.ts'
import { migrations } from '#schemas/migrations.ts'
import { publishBoundary, readBoundary } from '../boundaries.ts'
import { forgetGoneNodes, readHeartbeats, reportHeartbeat } from '../heartbeats.ts'
import { ensureDefaults } from './defaults.ts'
import type { Catalogue } from './port.ts'

export interface CatalogueContract {
  /** Opens connections to one and the same empty catalogue. */
  open(t: ExecutionContext): Promise<() => Promise<Catalogue>>
}

const insert = 'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $2, $3)'
const hour = Date.UTC(2026, 0, 1)

export function testCatalogueContract(
  test: TestFn,
  name: string,
  contract: CatalogueContract,
): void {
  test(`${name}: opened by several at once, migrated once`, async (t) => {
    const open = await contract.open(t)
    const all = await Promise.all([open(), open(), open()])
    const rows = await all[0]?.query('SELECT migration_id FROM migrations')
    t.is(rows?.length, migrations.length)
    await Promise.all(all.map((catalogue) => catalogue.close()))
  })

  test(`${name}: parameters, conflicts and RETURNING mean the same`, async (t) => {
    const catalogue = await (await contract.open(t))()
    const id = `p-${randomUUID()}'";--`
    await catalogue.query(insert, [id, 'first', 5])
    const upsert = `${insert} ON CONFLICT (publisher_id) DO UPDATE SET name = excluded.name RETURNING name, created_at`
    t.deepEqual(
      (await catalogue.query(upsert, [id, 'second', 6])).map((row) => ({
        ...row,
        created_at: Number(row.created_at),
      })),
      [{ name: 'second', created_at: 5 }],
    )
    t.deepEqual(
      await catalogue.query('SELECT name FROM publishers WHERE publisher_id = $1', ['x']),
      [],
    )
    await t.throwsAsync(catalogue.query(insert, [id, 'again', 7]))
    await catalogue.close()
  })

  test(`${name}: a transaction is all or nothing, and others do not see half of it`, async (t) => {
    const open = await contract.open(t)
    const [one, two] = [await open(), await open()]
    const count = async (catalogue: Catalogue) =>
      Number((await catalogue.query<{ n: number }>('SELECT count(*) AS n FROM publishers'))[0]?.n)
    // Asked in the middle; an adapter may answer at once or when the transaction is over.
    let seen: Promise<number> | undefined
    await t.throwsAsync(
      one.transaction(async (tx) => {
        await tx.query(insert, ['a', 'a', 1])
        seen = count(two)
        throw new Error('injected')
      }),
      { message: 'injected' },
    )
    t.is(await seen, 0)
    t.is(await count(one), 0)
    await one.transaction((tx) => tx.query(insert, ['a', 'a', 1]))
    t.is(await count(two), 1)
    await Promise.all([one.close(), two.close()])
  })

  test(`${name}: increments by many at once are not lost`, async (t) => {
    const open = await contract.open(t)
    const all = [await open(), await open()]
    await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        all[i % 2]?.transaction(async (tx) => {
          const rows = await tx.query<{ version: number }>('SELECT version FROM archive_version')
          const next = Number(rows[0]?.version) + 1
          await tx.query('UPDATE archive_version SET version = $1', [next])
        }),
      ),
    )
    const rows = await all[0]?.query<{ version: number }>('SELECT version FROM archive_version')
    t.is(Number(rows?.[0]?.version), 40)
    for (const catalogue of all) await catalogue.close()
  })

  test(`${name}: of two who publish a boundary, one wins`, async (t) => {
    const open = await contract.open(t)
    const [one, two] = [await open(), await open()]
    await ensureDefaults(one, hour + 1)
    await ensureDefaults(two, hour + 7_200_001)
    const first = await readBoundary(two)
    t.is(first?.boundary, hour)
    const next = { publishedAt: 1, publishedBy: 'test', reason: 'test' }
    const won = await Promise.all(
      [one, two].map((catalogue, i) =>
        publishBoundary(catalogue, first?.id ?? 0, {
          ...next,
          boundary: hour + (i + 1) * 3_600_000,
        }),
      ),
    )
    t.is(won.filter(Boolean).length, 1)
    await t.throwsAsync(publishBoundary(one, 9, { ...next, boundary: hour + 1 }), {
      message: /whole hour/,
    })
    await Promise.all([one.close(), two.close()])
  })

  test(`${name}: heartbeats replace each other`, async (t) => {
    const catalogue = await (await contract.open(t))()
    await reportHeartbeat(catalogue, 'serving', 'n1', 1, { url: 'a' })
    await reportHeartbeat(catalogue, 'serving', 'n1', 2, { url: 'b' })
    await reportHeartbeat(catalogue, 'serving', 'n2', 3, { url: 'c' })
    t.deepEqual(await readHeartbeats(catalogue, 'serving'), [
      { node: 'n1', reportedAt: 2, body: { url: 'b' } },
      { node: 'n2', reportedAt: 3, body: { url: 'c' } },
    ])
    await catalogue.close()
  })

  test(`${name}: nodes that others of their layer have outlived by a day are forgotten; ingest's never`, async (t) => {
    const catalogue = await (await contract.open(t))()
    const day = 86_400_000
    const nodesOf = async (layer: LayerName) =>
      (await readHeartbeats(catalogue, layer)).map(({ node }) => node)
    const archive = { archivedEnds: [], logEnds: [] }
    const ingest = {
      ...{ url: '', accepted: 0, notAccepted: 0, walDepthClicks: 3, walDepthBytes: 1 },
      oldestUnshipped: 1,
    }
    for (const [node, at] of Object.entries({ gone: 0, quiet: 1, newest: day + 1 })) {
      await reportHeartbeat(catalogue, 'serving', node, at, { url: '' })
      await reportHeartbeat(catalogue, 'ingest', node, at, ingest)
    }
    await reportHeartbeat(catalogue, 'archive', 'alone', 0, archive)
    await forgetGoneNodes(catalogue)
    t.deepEqual(await nodesOf('serving'), ['newest', 'quiet'])
    t.deepEqual(await nodesOf('ingest'), ['gone', 'newest', 'quiet'])
    t.deepEqual(await nodesOf('archive'), ['alone'], 'the last report of a layer that is down')
    await catalogue.close()
  })
}
