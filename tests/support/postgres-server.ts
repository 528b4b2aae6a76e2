// A PostgreSQL server of a test's own, which it may stop as it likes. The server refuses to run as
// root; then it runs as the user postgres.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { Client } from 'pg'
import { until } from '#platform/wait.ts'
import { freePort } from '../../infra/local/ports.ts'
import { scratchDir } from './contract.ts'

const startTimeoutMs = 20_000
const password = 'not-the-password-of-anything'

interface User {
  readonly uid: number
  readonly gid: number
}

function programsDir(): string {
  const base = '/usr/lib/postgresql'
  const newest = readdirSync(base)
    .sort((a, b) => Number(a) - Number(b))
    .at(-1)
  return join(base, newest ?? '', 'bin')
}

function lesserUser(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string) =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

export interface PostgresServer {
  readonly url: string
  readonly password: string
  /** Process id of the server; its children are the sessions. */
  pid(): number
  start(): Promise<void>
  /** As after a power cut: no goodbye to anybody. */
  kill(): Promise<void>
  /** Stops the server and all sessions in the middle of whatever they do. @returns how to go on */
  hang(): () => void
  /** Runs SQL as the superuser. */
  sql(text: string): Promise<void>
}

/** Makes and starts a server; it ends with the test. */
export async function startPostgres(t: ExecutionContext): Promise<PostgresServer> {
  const dir = scratchDir(t)
  const user = lesserUser()
  const programs = programsDir()
  const passwordFile = join(dir, 'password')
  const data = join(dir, 'data')
  writeFileSync(passwordFile, password)
  if (user) for (const path of [dir, passwordFile]) chownSync(path, user.uid, user.gid)
  chmodSync(dir, 0o755)
  await promisify(execFile)(
    join(programs, 'initdb'),
    [
      ...['-D', data, '-U', 'app', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`],
      ...['-E', 'UTF8', '--no-locale', '--no-sync'],
    ],
    { cwd: dir, ...user },
  )
  const port = await freePort()
  const url = `postgres://app:${password}@127.0.0.1:${port}/postgres`
  const options = ['-D', data, '-p', String(port), '-c', 'listen_addresses=127.0.0.1']
  const quick = ['-c', 'unix_socket_directories=', '-c', 'fsync=off', '-c', 'shared_buffers=32MB']
  let server: ReturnType<typeof spawn> | undefined

  const sql = async (text: string) => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2_000 })
    client.on('error', () => {})
    await client.connect()
    await client.query(text).finally(() => client.end())
  }
  const pid = () => server?.pid ?? 0
  const family = () =>
    [pid(), ...execFileSync('pgrep', ['-P', String(pid())], { encoding: 'utf8' }).split('\n')]
      .map(Number)
      .filter((id) => id > 0)
  let hung: number[] = []
  const goOn = () => {
    for (const id of hung.splice(0)) process.kill(id, 'SIGCONT')
  }
  const own: PostgresServer = {
    ...{ url, password, pid, sql },
    async start() {
      server = spawn(join(programs, 'postgres'), [...options, ...quick], {
        ...{ cwd: dir, stdio: 'ignore', ...user },
      })
      const answers = () =>
        sql('SELECT 1').then(
          () => true,
          () => false,
        )
      await until(answers, { timeoutMs: startTimeoutMs, everyMs: 50, what: 'PostgreSQL answers' })
    },
    async kill() {
      goOn() // what is stopped does not even die
      const ended = server
      if (!ended || ended.exitCode !== null) return
      const exited = new Promise((resolve) => ended.once('exit', resolve))
      ended.kill('SIGQUIT') // immediate: sessions end without a checkpoint
      await exited
    },
    hang() {
      hung = family()
      for (const id of hung) process.kill(id, 'SIGSTOP')
      return goOn
    },
  }
  await own.start()
  t.teardown(() => own.kill())
  return own
}
