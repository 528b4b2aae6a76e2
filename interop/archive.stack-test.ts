// The archive and a staged run as pyarrow reads them: every row, every column, every type.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { aggregateColumns } from '#core/minute-aggregates.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { archivedFields } from '#schemas/fields.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { archiveClicks } from './archive-fixture.ts'
import {
  archiveRows,
  archiveTypes,
  comparableAggregates,
  expectedAggregates,
  hiveColumns,
  inOrder,
  type Row,
  verdictRows,
} from './expected.ts'
import { openPython, type Python } from './python.ts'
import { clicksOfSomeHours, parseLines } from './support.ts'

interface Parquet {
  readonly types: Readonly<Record<string, string>>
  readonly rows: Row[]
}

async function readParquet(
  python: Python,
  root: string,
  files: readonly string[],
): Promise<Parquet> {
  const lines = parseLines<Row>(await python.run('read_parquet.py', [root, ...files]))
  const [{ types } = { types: {} }, ...rows] = lines as unknown as [Parquet, ...Row[]]
  return { types, rows }
}

test('pyarrow reads the archive: rows, columns, types, partitions of the folders', async (t) => {
  t.log(`seed ${seed}`)
  const python = await openPython()
  const archive = await archiveClicks(t, clicksOfSomeHours(seed))
  t.true(archive.files.every((path) => existsSync(join(archive.root, path))))
  const { types, rows } = await readParquet(python, archive.root, [])
  t.deepEqual(
    types,
    archiveTypes({ string: 'string', timestamp: 'int64', int: 'int32', long: 'int64' }, 'int32'),
  )
  t.deepEqual(inOrder(rows), archiveRows(archive.clicks))
})

test('pyarrow reads a staged run: exceptions, minute aggregates, lists of members', async (t) => {
  t.log(`seed ${seed}`)
  const python = await openPython()
  const archive = await archiveClicks(t, clicksOfSomeHours(seed))
  const { aggregates, verdicts } = await archive.stage('run-1', defaultRuleSet)
  const staged = await readParquet(python, archive.root, aggregates)
  t.is(staged.types.minute, 'int64')
  t.is(staged.types.click_count, 'int64')
  t.regex(staged.types.visitors ?? '', /^list<\w+: string>$/)
  t.deepEqual(comparableAggregates(staged.rows), expectedAggregates(defaultRuleSet, archive.clicks))
  const exceptions = await readParquet(python, archive.root, verdicts)
  t.is(exceptions.types.event_id, 'string')
  t.deepEqual(inOrder(exceptions.rows), verdictRows(defaultRuleSet, archive.clicks))
})

test('no column has the name of a partition folder', (t) => {
  const columns: readonly string[] = [
    ...archivedFields.map((f) => f.name),
    ...dimensionNames,
    ...aggregateColumns.map((c) => c.name),
  ]
  t.deepEqual(
    hiveColumns.filter((name) => columns.includes(name)),
    [],
  )
})
