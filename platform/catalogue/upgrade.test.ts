// A catalogue made by an older release: brought up to date with what is in it.
import { join } from 'node:path'
import test from 'ava'
import { migrations } from '#schemas/migrations.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { createKeyLookup, hashApiKey } from '../api-keys.ts'
import { openSqlite } from '../sqlite.ts'
import { openSqliteCatalogue } from './sqlite.ts'

test('keys and ads of release 4 work on, with ids and revisions', async (t) => {
  const path = join(scratchDir(t), 'catalogue.sqlite')
  const old = await openSqlite(path, 1_000)
  old.exec('CREATE TABLE migrations (migration_id INTEGER PRIMARY KEY, name TEXT NOT NULL)')
  for (const { id, name, statements } of migrations.filter((migration) => migration.id <= 4)) {
    for (const statement of statements) if (typeof statement === 'string') old.exec(statement)
    old.prepare('INSERT INTO migrations VALUES (?, ?)').run(id, name)
  }
  const keys = ['clk_one', 'clk_two']
  for (const key of keys) {
    old
      .prepare(
        `INSERT INTO api_keys (key_hash, prefix, role, advertiser_id, created_at)
         VALUES (?, 'clk_', 'advertiser', 'adv-1', 1)`,
      )
      .run(hashApiKey(key))
  }
  old.exec(
    `INSERT INTO advertisers (advertiser_id, name, created_at) VALUES ('adv-1', 'One', 1);
     INSERT INTO audit_log VALUES ('a', 1, 'admin:clk_', 'keys.create', 'clk_', '')`,
  )
  old.close()

  const catalogue = await openSqliteCatalogue({ path })
  t.teardown(() => catalogue.close())
  const lookup = createKeyLookup(catalogue, () => 2)
  t.deepEqual((await lookup('clk_one'))?.advertiserIds, ['adv-1'])
  const ids = await catalogue.query<{ key_id: string }>('SELECT key_id FROM api_keys')
  t.is(new Set(ids.map(({ key_id }) => key_id)).size, 2)
  const [advertiser] = await catalogue.query('SELECT revision, archived_at FROM advertisers')
  t.deepEqual({ ...advertiser }, { revision: 1, archived_at: null })
  await t.throwsAsync(catalogue.query('DELETE FROM audit_log'), { message: /append-only/ })
})
