// The contract over PostgreSQL, and what only a server can do: go away in the middle, hang, refuse.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { migrations } from '#schemas/migrations.ts'
import { type PostgresServer, startPostgres } from '../../tests/support/postgres-server.ts'
import { freshNamespace, stackSettings } from '../../tests/support/stack.ts'
import { until, within } from '../wait.ts'
import { testCatalogueContract } from './contract.ts'
import type { Catalogue, Queryable } from './port.ts'
import { openPostgresCatalogue } from './postgres.ts'
import { timeouts } from './postgres-pool.ts'

testCatalogueContract(test, 'postgres', {
  open: async (t) => {
    const { CLICKLEDGER_POSTGRES_URL: url, CLICKLEDGER_NAMESPACE: namespace } = stackSettings(t)
    return () => openPostgresCatalogue({ url, namespace, poolMax: 4 })
  },
})

const insert = 'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $1, 1)'
/** A server that hangs is noticed by the client's clock, on each connection. */
const noticedMs = 2 * timeouts.answerMs + 5_000

async function open(t: ExecutionContext, { url }: PostgresServer, poolMax = 3): Promise<Catalogue> {
  const catalogue = await openPostgresCatalogue({ url, namespace: freshNamespace(), poolMax })
  t.teardown(() => catalogue.close())
  return catalogue
}

/** Runs a script in a process of its own, where `open()` opens the catalogue. */
function inProcess(t: ExecutionContext, url: string, namespace: string, script: string) {
  const begin = `
    import { openPostgresCatalogue } from './platform/catalogue/postgres.ts'
    const open = () => openPostgresCatalogue({ url: process.env.URL, namespace: '${namespace}', poolMax: 3 })`
  const args = ['--input-type=module', '-e', `${begin}\n${script}`]
  const child = execFile(process.execPath, args, { env: { ...process.env, URL: url } })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

/** Waits until somebody waits for the lock of the writers. */
async function waitingForLock(server: PostgresServer, t: ExecutionContext): Promise<void> {
  const watching = await open(t, server)
  const waits = "SELECT 1 AS one FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
  await until(async () => (await watching.query(waits)).length > 0, {
    what: 'a writer waits for the lock',
  })
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
    { everyMs: 50, what: 'the catalogue works again' },
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
  const failed = catalogue.transaction(async (tx) => {
    await tx.query(insert, ['lost'])
    goOn = server.hang()
    await tx.query(insert, ['lost too'])
  })
  const bothFail = async () => {
    await t.throwsAsync(failed, { code: 'unavailable' })
    await t.throwsAsync(catalogue.query('SELECT 1'), { code: 'unavailable' })
  }
  await within(bothFail(), noticedMs)
  goOn()
  await worksAgain(catalogue, 'after')
  t.deepEqual(await namesIn(catalogue), ['after'])
})

test('a process ends although the server hangs, in the middle of a query too', async (t) => {
  const server = await startPostgres(t)
  const script = `
    const catalogue = await open()
    await Promise.all([catalogue.query('SELECT 1'), catalogue.query("INSERT INTO publishers (publisher_id, name, created_at) VALUES ('a', 'a', 1)")])
    console.log('open')
    await new Promise((resolve) => process.stdin.once('data', resolve))
    const asked = catalogue.query('SELECT 1').catch(() => {})
    await catalogue.close()
    process.stdin.destroy()`
  const child = inProcess(t, server.url, freshNamespace(), script)
  const { stdout, stdin } = child
  await once(stdout ?? t.fail('no output'), 'data')
  const goOn = server.hang()
  stdin?.write('close\n')
  t.deepEqual(await within(once(child, 'exit'), 5_000), [0, null])
  goOn()
})

test('two processes: increments are not lost, and single writes wait for a transaction', async (t) => {
  const server = await startPostgres(t)
  const namespace = freshNamespace()
  // Another text of the same URL: connections of its own, as another process has.
  const urls = [server.url, `${server.url}?application_name=other`]
  const [one, two] = (await Promise.all(
    urls.map((url) => openPostgresCatalogue({ url, namespace, poolMax: 2 })),
  )) as [Catalogue, Catalogue]
  t.teardown(() => Promise.all([one.close(), two.close()]))
  const read = async (from: Queryable) =>
    (await from.query<{ version: number }>('SELECT version FROM archive_version'))[0]?.version ?? 0
  const increment = (catalogue: Catalogue) =>
    catalogue.transaction(async (tx) => {
      const version = await read(tx)
      await tx.query('UPDATE archive_version SET version = $1', [version + 1])
    })
  await Promise.all(Array.from({ length: 40 }, (_, i) => increment(i % 2 ? one : two)))
  t.is(await read(one), 40)
  let single: Promise<unknown> = Promise.resolve()
  await one.transaction(async (tx) => {
    const version = await read(tx)
    single = two.query('UPDATE archive_version SET version = version + 1 WHERE id = $1', [1])
    await waitingForLock(server, t)
    await tx.query('UPDATE archive_version SET version = $1', [version + 1])
  })
  await single
  t.is(await read(two), 42)
})

test('idle connections that the server drops end no process', async (t) => {
  const server = await startPostgres(t)
  const catalogue = await open(t, server)
  await Promise.all([catalogue.query('SELECT 1'), catalogue.query('SELECT 1')])
  await server.sql(
    'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL',
  )
  await worksAgain(catalogue, 'after')
  // The other connection, too, may be told only when it is used.
  const names = await until(() => namesIn(catalogue).catch(() => undefined), {
    what: 'it can be read',
  })
  t.deepEqual(names, ['after'])
})

test('a writer that stops in the middle does not hold up the others for long', async (t) => {
  const server = await startPostgres(t)
  const namespace = freshNamespace()
  const catalogue = await openPostgresCatalogue({ url: server.url, namespace, poolMax: 2 })
  t.teardown(() => catalogue.close())
  inProcess(
    t,
    server.url,
    namespace,
    `const catalogue = await open()
    await catalogue.transaction(async (tx) => {
      await tx.query("INSERT INTO publishers (publisher_id, name, created_at) VALUES ('half', 'half', 1)")
      process.kill(process.pid, 'SIGSTOP')
    })`,
  )
  const stopped = `SELECT 1 AS one FROM pg_stat_activity
    WHERE state = 'idle in transaction' AND query LIKE 'INSERT INTO publishers%'`
  await until(async () => (await catalogue.query(stopped)).length > 0, {
    what: 'the other is in the middle of its transaction',
  })
  await catalogue.transaction((tx) => tx.query(insert, ['mine']))
  t.deepEqual(await namesIn(catalogue), ['mine'])
})

test('processes that migrate at once: one does, all go on', async (t) => {
  const server = await startPostgres(t)
  const namespace = freshNamespace()
  const all = Array.from({ length: 4 }, () =>
    once(inProcess(t, server.url, namespace, 'await (await open()).close()'), 'exit'),
  )
  t.deepEqual(await Promise.all(all), Array(4).fill([0, null]))
  const catalogue = await openPostgresCatalogue({ url: server.url, namespace, poolMax: 2 })
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
