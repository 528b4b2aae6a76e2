// PostgreSQL. It refuses to run as root and then runs as another user, who must get into the folder
// of its data: where a folder above is closed to others, the data lies in /var/tmp instead.
import { createHash } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { isOpenToOthers, lesserUser } from '../programs.ts'
import { run } from '../run.ts'
import { credentials, dataDirOf, portOf, type StackConfig } from '../state.ts'
import type { ServerPlan } from './plan.ts'

const database = 'clickledger'
const connectTimeoutMs = 2_000

/** Where the data of PostgreSQL is, for this caller. */
export function postgresDataDir(config: StackConfig): string {
  if (lesserUser() === undefined || isOpenToOthers(config.dir)) return dataDirOf(config, 'postgres')
  const hash = createHash('sha256').update(config.dir).digest('hex').slice(0, 12)
  return join('/var/tmp', `clickledger-postgres-${hash}`)
}

export function planPostgres(config: StackConfig): ServerPlan {
  const port = portOf(config, 'postgres')
  const programs = config.programs.postgres ?? ''
  const dir = postgresDataDir(config)
  const data = join(dir, 'data')
  const user = lesserUser()
  const options = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '', // a path of a socket may have 107 bytes, too few for some folders
    shared_buffers: '64MB',
    max_connections: '100',
  }
  return {
    command: [
      join(programs, 'postgres'),
      ...['-D', data],
      ...Object.entries(options).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ...{ cwd: dir, user },
    stopSignal: 'SIGINT', // closes the connections of clients; SIGTERM would wait for them
    stopTimeoutMs: 20_000,
    async prepare() {
      mkdirSync(dir, { recursive: true })
      if (user) chownSync(dir, user.uid, user.gid)
      if (!existsSync(data)) await initialise(join(programs, 'initdb'), dir, data)
    },
    isReady: () => withClient(port, 'postgres', async () => true),
    provide: () =>
      withClient(port, 'postgres', async (client) => {
        const query = 'SELECT 1 FROM pg_database WHERE datname = $1'
        const { rowCount } = await client.query(query, [database])
        if (!rowCount) await client.query(`CREATE DATABASE ${database}`)
      }),
  }
}

/** Makes the data folder, in one go: a half-made one is never taken for whole. */
async function initialise(initdb: string, dir: string, data: string): Promise<void> {
  const partial = `${data}.partial`
  const passwordFile = join(dir, 'password')
  const user = lesserUser()
  rmSync(partial, { recursive: true, force: true })
  writeFileSync(passwordFile, credentials.password)
  const how = ['-A', 'scram-sha-256', '-E', 'UTF8', '--no-locale', '--no-sync']
  const who = ['-U', credentials.user, `--pwfile=${passwordFile}`]
  await run(initdb, ['-D', partial, ...how, ...who], { cwd: dir, user })
  rmSync(passwordFile)
  renameSync(partial, data)
}

async function withClient<T>(
  port: number,
  name: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client({
    ...{ host: '127.0.0.1', port, database: name },
    ...{ connectionTimeoutMillis: connectTimeoutMs, query_timeout: 30_000 },
    ...credentials,
  })
  client.on('error', () => {}) // told by the rejected call, too
  try {
    await client.connect()
    return await work(client)
  } finally {
    await client.end()
  }
}
