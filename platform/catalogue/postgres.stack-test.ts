// The contract over PostgreSQL, and what only a server can do: go away in the middle, hang, refuse.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { migrations } from '#schemas/migrations.ts'
import { type PostgresServer, startPostgres } from '../../tests/support/postgres-server.ts'
import { freshNamespace, stackSettings } from '../../tests/support/stack.ts'
import { until } from '../wait.ts'
import { testCatalogueContract } from './contract.ts'
import type { Catalogue } from './port.ts'
import { openPostgresCatalogue } from './postgres.ts'
import { timeouts } from './postgres-pool.ts'

testCatalogueContract(test, 'postgres', {
  open: async (t) => {
    const { CLICKLEDGER_POSTGRES_URL: url, CLICKLEDGER_NAMESPACE: namespace } = stackSettings(t)
    return () => openPostgresCatalogue({ url, namespace, poolMax: 4 })
  },
})

const insert = 'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $1, 1)'
/** A server that hangs is noticed by the client's clock, a connection after that by its own. */
const noticedMs = timeouts.answerMs + timeouts.connectMs + 3_000

async function open(t: ExecutionContext, { url }: PostgresServer, poolMax = 3): Promise<Catalogue> {
  const catalogue = await openPostgresCatalogue({ url, namespace: freshNamespace(), poolMax })
  t.teardown(() => catalogue.close())
  return catalogue
}

const namesIn = async (catalogue: Catalogue) =>
  (await catalogue.query<{ name: string }>('SELECT name FROM publishers ORDER BY name')).map(
    (row) => row.name,
  )

const worksAgain = (catalogue: Catalogue, id: string) =>
  until(
    () =>
      catalogue.query(insert, [id]).then(
        () => true,
        () => false,
      ),
    { timeoutMs: 30_000, everyMs: 50, what: 'the catalogue works again' },
  )

test('a server that dies in mid transaction: nothing of it is there, and all goes on', async (t) => {
  const server = await startPostgres(t)
  const catalogue = await open(t, server)
  await catalogue.query(insert, ['before'])
  await t.throwsAsync(
    catalogue.transaction(async (tx) => {
      await tx.query(insert, ['lost'])
      await server.kill()
      await tx.query(insert, ['lost too'])
    }),
    { code: 'unavailable', message: /CLICKLEDGER_POSTGRES_URL/ },
  )
  await t.throwsAsync(catalogue.query('SELECT 1'), { code: 'unavailable' })
  await t.throwsAsync(catalogue.query(insert, ['no']), { code: 'unavailable' })
  await server.start()
  await worksAgain(catalogue, 'after')
  t.deepEqual(await namesIn(catalogue), ['after', 'before'])
})

test('a server that hangs: unavailable within the time-outs, then it goes on', async (t) => {
  const server = await startPostgres(t)
  const catalogue = await open(t, server)
  let goOn = () => {}
  const begun = performance.now()
  const failed = catalogue.transaction(async (tx) => {
    await tx.query(insert, ['lost'])
    goOn = server.hang()
    await tx.query(insert, ['lost too'])
  })
  await t.throwsAsync(failed, { code: 'unavailable' })
  await t.throwsAsync(catalogue.query('SELECT 1'), { code: 'unavailable' })
  t.true(performance.now() - begun < noticedMs, 'both were noticed in time')
  goOn()
  await worksAgain(catalogue, 'after')
  t.deepEqual(await namesIn(catalogue), ['after'])
})

test('closing does not wait for a server that hangs', async (t) => {
  const server = await startPostgres(t)
  const catalogue = await open(t, server)
  await catalogue.query(insert, ['one'])
  const goOn = server.hang()
  const begun = performance.now()
  await catalogue.close()
  t.true(performance.now() - begun < 4_000)
  goOn()
})

test('idle connections that the server drops end no process', async (t) => {
  const server = await startPostgres(t)
  const catalogue = await open(t, server)
  await Promise.all([catalogue.query('SELECT 1'), catalogue.query('SELECT 1')])
  await server.sql(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL',
  )
  await worksAgain(catalogue, 'after')
  t.deepEqual(await namesIn(catalogue), ['after'])
})

test('a writer that stops in the middle does not hold up the others for long', async (t) => {
  const server = await startPostgres(t)
  const namespace = freshNamespace()
  const script = `
    import { openPostgresCatalogue } from './platform/catalogue/postgres.ts'
    const catalogue = await openPostgresCatalogue({ url: process.env.URL, namespace: '${namespace}', poolMax: 2 })
    await catalogue.transaction(async (tx) => {
      await tx.query("INSERT INTO publishers (publisher_id, name, created_at) VALUES ('half', 'half', 1)")
      process.kill(process.pid, 'SIGSTOP')
    }).catch(() => {})
    process.exit(0)`
  const { url } = server
  const catalogue = await openPostgresCatalogue({ url, namespace, poolMax: 2 })
  t.teardown(() => catalogue.close())
  const child = execFile(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, URL: url },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const waits = `SELECT 1 AS one FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND query LIKE 'INSERT INTO publishers%'`
  await until(async () => (await catalogue.query(waits)).length > 0, {
    timeoutMs: 20_000,
    what: 'the other has the lock',
  })
  await catalogue.transaction((tx) => tx.query(insert, ['mine']))
  t.deepEqual(await namesIn(catalogue), ['mine'])
})

test('processes that migrate at once: one does, all go on', async (t) => {
  const server = await startPostgres(t)
  const namespace = freshNamespace()
  const script = `
    import { openPostgresCatalogue } from './platform/catalogue/postgres.ts'
    const catalogue = await openPostgresCatalogue({ url: process.env.URL, namespace: '${namespace}', poolMax: 2 })
    await catalogue.close()`
  const env = { ...process.env, URL: server.url }
  const args = ['--input-type=module', '-e', script]
  await Promise.all(
    Array.from({ length: 4 }, () => promisify(execFile)(process.execPath, args, { env })),
  )
  const { url } = server
  const catalogue = await openPostgresCatalogue({ url, namespace, poolMax: 2 })
  t.teardown(() => catalogue.close())
  t.is((await catalogue.query('SELECT migration_id FROM migrations')).length, migrations.length)
})

test('what a person must correct is one message that names the setting, without the password', async (t) => {
  const server = await startPostgres(t)
  await server.sql("CREATE ROLE guest LOGIN PASSWORD 'guest-secret'")
  await server.sql("CREATE DATABASE odd ENCODING 'SQL_ASCII' TEMPLATE template0")
  const changed = (
    part: 'password' | 'username' | 'hostname' | 'pathname' | 'port',
    to: string,
  ) => {
    const url = new URL(server.url)
    url[part] = to
    return url.toString()
  }
  const asGuest = new URL(changed('username', 'guest'))
  asGuest.password = 'guest-secret'
  const cases: [url: string, code: string, said: RegExp, namespace?: string][] = [
    [changed('password', 'wrong-secret'), 'invalid-settings', /password is wrong/],
    [changed('username', 'nobody'), 'invalid-settings', /user does not exist/],
    [changed('pathname', '/nowhere'), 'invalid-settings', /no such database/],
    [changed('pathname', '/odd'), 'invalid-settings', /SQL_ASCII/],
    [asGuest.toString(), 'invalid-settings', /lacks a right/, 'mine'],
    [asGuest.toString(), 'invalid-settings', /lacks a right/, ''],
    [changed('port', '1'), 'unavailable', /ECONNREFUSED.*Start it/],
    ['mysql://a:wrong-secret@b/c', 'invalid-settings', /of the form postgres:/],
    ['not a url with wrong-secret', 'invalid-settings', /of the form postgres:/],
  ]
  for (const [url, code, said, namespace = 'mine'] of cases) {
    const error = await t.throwsAsync(openPostgresCatalogue({ url, namespace, poolMax: 2 }), {
      code,
    })
    t.regex(error?.message ?? '', said)
    t.regex(error?.message ?? '', /CLICKLEDGER_POSTGRES_URL/)
    t.notRegex(`${error?.message} ${error?.stack}`, /secret|not-the-password/)
  }
})
