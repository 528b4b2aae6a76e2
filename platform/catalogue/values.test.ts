// One SQL text, one meaning: values and order as every adapter must give them. Runs over PostgreSQL
// too (tests/catalogue-on-postgres.stack-test.ts).
import test from 'ava'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'

const insert = 'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $2, $3)'

test('numbers come as numbers, truth as 1 and 0', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const big = Number.MAX_SAFE_INTEGER
  await catalogue.query(insert, ['a', 'a', big])
  await catalogue.query(insert, ['b', 'b', -2])
  const [row] = await catalogue.query(
    `SELECT count(*) AS n, sum(created_at) AS total, max(created_at) AS most, 7 / 2 AS half,
       1 = 1 AS yes, 1 = 2 AS no, NULL AS none, coalesce(sum(created_at), 0) AS whole
     FROM publishers`,
  )
  t.deepEqual(
    { ...row },
    { n: 2, total: big - 2, most: big, half: 3, yes: 1, no: 0, none: null, whole: big - 2 },
  )
})

test('what cannot be said exactly is refused, not rounded', async (t) => {
  const catalogue = await openTestCatalogue(t)
  await t.throwsAsync(catalogue.query('SELECT 9007199254740993 AS n'), { instanceOf: RangeError })
  for (const [name, at] of [
    ['a\0b', 1],
    ['a', 1.5],
    ['a', 2 ** 53],
    ['a', Number.NaN],
  ] as const) {
    await t.throwsAsync(catalogue.query(insert, ['a', name, at]), { code: 'bad-request' })
  }
  await t.throwsAsync(catalogue.query(insert, ['a', 'a']))
  await t.throwsAsync(catalogue.query(insert, ['a', 'a', 1, 2]))
  t.is((await catalogue.query('SELECT name FROM publishers')).length, 0)
})

test('texts are kept as they are and ordered by code points', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const names = ['B', 'Zebra', '_', 'a', 'a b', 'a-b', 'a_b', 'ab', '\u00e4', '\uffee', '\u{1f600}']
  for (const name of [...names].reverse()) await catalogue.query(insert, [name, `'${name}"\\`, 1])
  const rows = await catalogue.query<{ publisher_id: string; name: string }>(
    'SELECT publisher_id, name FROM publishers ORDER BY publisher_id',
  )
  t.deepEqual(
    rows.map((row) => row.publisher_id),
    names,
  )
  t.is(rows[0]?.name, `'B"\\`)
  const after = 'SELECT publisher_id FROM publishers WHERE publisher_id > $1 ORDER BY publisher_id'
  const next = await catalogue.query(after, ['a'])
  t.is(next.length, names.length - 4, 'paging goes by the same order')
  t.deepEqual(await catalogue.query('SELECT name FROM publishers WHERE name LIKE $1', ["'b%"]), [])
})

test('a statement that fails in a transaction undoes all of it, also where the work goes on', async (t) => {
  const catalogue = await openTestCatalogue(t)
  await catalogue.query(insert, ['a', 'a', 1])
  const failed = catalogue.transaction(async (tx) => {
    await tx.query(insert, ['b', 'b', 1])
    await tx.query(insert, ['a', 'again', 1])
  })
  await t.throwsAsync(failed)
  t.is((await catalogue.query('SELECT name FROM publishers')).length, 1)
  await catalogue.transaction((tx) => tx.query(insert, ['c', 'c', 1]))
  t.is((await catalogue.query('SELECT name FROM publishers')).length, 2)
})
