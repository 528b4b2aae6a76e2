// A field that was added later: what was written before it still counts, as "unknown".
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import test from 'ava'
import { openDirectoryStore } from '#platform/object-store/directory.ts'
import { rowsOf } from '#platform/olap/duckdb-sql.ts'
import { createTables } from '#platform/olap/duckdb-views.ts'
import { archivedFields } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { localHours } from '../batch-layer/rebuild/local-hours.ts'
import { clicksSql } from '../batch-layer/rebuild/stage-sql.ts'
import { scratchDir } from './support/contract.ts'

test('archive files without a field read it as unknown, beside files that have it', async (t) => {
  const dir = scratchDir(t)
  const objects = await openDirectoryStore({ dir })
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  t.teardown(() => {
    connection.closeSync()
    db.closeSync()
  })
  const write = async (key: string, without: readonly string[], time: number) => {
    // Another order of columns, too: they are found by name.
    const columns = archivedFields
      .filter(({ name }) => !without.includes(name))
      .toReversed()
      .map((f) => `${f.type === 'string' ? `'${f.name}'` : time} AS ${f.name}`)
    const local = join(dir, 'made.parquet')
    await connection.run(`COPY (SELECT ${columns.join(', ')}) TO '${local}' (FORMAT parquet)`)
    await objects.put(key, { path: local })
  }
  await write('old.parquet', ['city', 'raw_offset'], 5)
  await write('new.parquet', [], 6)
  await write('next.parquet', [], hourMs + 5)
  const hours = await localHours(connection, objects, [
    { hour: 0, files: ['old.parquet', 'new.parquet'], clicks: 2 },
    { hour: hourMs, files: ['next.parquet'], clicks: 1 },
  ])
  t.deepEqual(
    hours.map(({ isOlder }) => isOlder),
    [true, false],
  )
  const rows = await rowsOf(
    connection,
    `SELECT event_time, city, raw_offset, os FROM (${clicksSql(hours)}) ORDER BY event_time`,
  )
  t.deepEqual(
    rows.map((row) => [Number(row.event_time), row.city, Number(row.raw_offset), row.os]),
    [
      [5, '', 0, 'os'],
      [6, 'city', 6, 'os'],
      [hourMs + 5, 'city', hourMs + 5, 'os'],
    ],
  )
})

test('views made before a dimension get its column, unknown in what they hold', async (t) => {
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  t.teardown(() => {
    connection.closeSync()
    db.closeSync()
  })
  await createTables(connection)
  for (const view of ['batch_minutes', 'batch_hours', 'batch_days', 'speed_minutes']) {
    await connection.run(`ALTER TABLE ${view} DROP COLUMN city`)
    await connection.run(`INSERT INTO ${view} BY NAME SELECT 60000 AS minute, 'a' AS ad_id`)
  }
  await createTables(connection)
  for (const view of ['batch_minutes', 'batch_hours', 'batch_days', 'speed_minutes']) {
    t.deepEqual(await rowsOf(connection, `SELECT city, ad_id FROM ${view}`), [
      { city: '', ad_id: 'a' },
    ])
  }
})
