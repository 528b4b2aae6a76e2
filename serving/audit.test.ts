import test from 'ava'
import { openTestCatalogue } from '../tests/support/catalogue.ts'
import { audit, auditExport } from './audit.ts'
import { openFixture, startNow } from './testing/fixture.ts'

const principal = (role: 'admin' | 'engineer', prefix: string, name = '') => ({
  ...{ role, prefix, name, advertiserIds: [], publisherIds: [] },
})

interface Entry {
  readonly subject: string
  readonly action: string
  readonly actor: string
  readonly at: string
}

test('the database refuses to change or remove an entry', async (t) => {
  const catalogue = await openTestCatalogue(t)
  await audit(catalogue, 1, principal('admin', 'clk_a'), 'keys.create', 'key_1')
  for (const sql of [
    "UPDATE audit_log SET actor = 'nobody'",
    'DELETE FROM audit_log',
    "DELETE FROM audit_log WHERE subject = 'key_1'",
    "UPDATE audit_log SET at = 2 WHERE subject = 'key_1'",
    ...(process.env.TEST_CATALOGUE === 'postgres' ? ['TRUNCATE audit_log'] : []),
  ]) {
    await t.throwsAsync(catalogue.query(sql), undefined, sql)
  }
  t.is(
    (await catalogue.query("SELECT 1 AS one FROM audit_log WHERE actor LIKE 'admin:%'")).length,
    1,
  )
})

test('from the newest to the oldest, page by page, narrowed by each parameter', async (t) => {
  const { inject, catalogue } = await openFixture(t)
  const add = (i: number) =>
    audit(
      catalogue,
      startNow - Math.floor(i / 3) * 1_000, // several in the same millisecond
      i % 2 === 0 ? principal('admin', 'clk_a', 'Ann') : principal('engineer', 'clk_b'),
      i % 5 === 0 ? 'keys.create' : 'ads.upsert',
      `s-${i}`,
      { i },
    )
  for (let i = 0; i < 30; i++) await add(i)
  const list = async (query: string) =>
    (await inject({ url: `/v1/audit?${query}` }, 'admin')).json()
  const walk = async (query: string) => {
    const entries: Entry[] = []
    for (let next = ''; ; ) {
      const page = await list(`limit=4&${query}${next}`)
      entries.push(...page.data)
      if (page.next === null) return entries
      next = `&cursor=${page.next}`
    }
  }
  const all = await walk('')
  t.is(new Set(all.map(({ subject }) => subject)).size, 30)
  t.is(all.length, 30)
  t.deepEqual(
    all.map(({ at }) => at),
    all.map(({ at }) => at).toSorted((a, b) => b.localeCompare(a)),
  )
  t.is((await walk('actor=admin:')).length, 15)
  t.is((await walk('actor=admin:clk_a%20(Ann)')).length, 15)
  t.is((await walk('actor=_dmin:')).length, 0, 'no patterns')
  t.is((await walk('action=keys.')).length, 6)
  t.is((await walk('action=keys.&actor=engineer')).length, 3)
  t.is((await walk('subject=s-7')).length, 1)
  const since = new Date(startNow - 2_000).toISOString()
  t.is((await walk(`since=${since}`)).length, 9)
  t.is((await walk(`until=${since}`)).length, 21)
  for (const wrong of ['since=monday', 'until=x', 'cursor=1', 'limit=0', 'colour=red']) {
    t.is((await inject({ url: `/v1/audit?${wrong}` }, 'admin')).statusCode, 400, wrong)
  }
})

test('an export is recorded with its question, cut where that is long', async (t) => {
  const { inject, catalogue } = await openFixture(t)
  const query = { sql: 'x'.repeat(1_000_000) }
  await auditExport(catalogue, startNow, principal('engineer', 'clk_b'), {
    ...{ kind: 'sql', format: 'csv', query },
  })
  const { data } = (await inject({ url: '/v1/audit?action=export.' }, 'admin')).json()
  t.like(data[0], { action: 'export.sql', subject: 'csv' })
  t.true(JSON.stringify(data[0].detail).length < 20_000)
})
