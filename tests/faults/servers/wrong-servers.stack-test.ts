// Servers that are not there, refuse, or are not what the settings say: the process stops at start,
// with one message that names the setting and the fix.
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { readSettings } from '#platform/config.ts'
import { openEventLog } from '#platform/stack.ts'
import { type Command, startProgram } from '../../support/processes.ts'
import { stackEnv } from '../../support/stack.ts'

const nobody = '127.0.0.1:9' // discard: nothing listens there

interface Wrong {
  readonly command: Command
  readonly env: Readonly<Record<string, string>>
  /** What the message must name. */
  readonly names: string
}

const hidden = 'a-secret-that-is-wrong'
const wrong: Readonly<Record<string, Wrong>> = {
  'brokers that nobody is': {
    command: 'speed',
    env: { CLICKLEDGER_KAFKA_BROKERS: nobody },
    names: 'CLICKLEDGER_KAFKA_BROKERS',
  },
  'a bucket that does not exist': {
    command: 'archive',
    env: { CLICKLEDGER_S3_BUCKET: 'no-such-bucket' },
    names: 'CLICKLEDGER_S3_BUCKET',
  },
  'a wrong S3 key': {
    command: 'archive',
    env: { CLICKLEDGER_S3_SECRET_KEY: hidden },
    names: 'CLICKLEDGER_S3_SECRET_KEY',
  },
  'an S3 endpoint that nobody is': {
    command: 'archive',
    env: { CLICKLEDGER_S3_ENDPOINT: `http://${nobody}` },
    names: 'CLICKLEDGER_S3_ENDPOINT',
  },
  'a PostgreSQL that nobody is': {
    command: 'serve',
    env: { CLICKLEDGER_POSTGRES_URL: `postgres://user:${hidden}@${nobody}/db` },
    names: 'CLICKLEDGER_POSTGRES_URL',
  },
  'a Druid that nobody is': {
    command: 'serve',
    env: { CLICKLEDGER_DRUID_URL: `http://${nobody}` },
    names: 'CLICKLEDGER_DRUID_URL',
  },
  'a wrong Redis password': {
    command: 'ingest',
    env: { CLICKLEDGER_REDIS_URL: '' },
    names: 'CLICKLEDGER_REDIS_URL',
  },
  'a schema registry that nobody is': {
    command: 'ingest',
    env: { CLICKLEDGER_SCHEMA_REGISTRY_URL: `http://${nobody}` },
    names: 'CLICKLEDGER_SCHEMA_REGISTRY_URL',
  },
}

/** The command ends by itself, with one message, no stack and no secret. */
async function checkRefused(t: ExecutionContext, { command, env, names }: Wrong): Promise<void> {
  const program = startProgram(t, command, env)
  const { code, signal } = await program.ended
  const message = program.stderr.split('\n').filter((line) => !line.startsWith('{'))
  t.is(signal, null)
  t.true(code === 1 || code === 2, `exit code ${code}`)
  t.true(message.join('\n').includes(names), program.stderr)
  t.notRegex(program.stderr, /\n\s+at /, 'no stack')
  t.false(program.stderr.includes(hidden), 'secrets are not shown')
}

for (const [what, { command, env, names }] of Object.entries(wrong)) {
  test.serial(`${what}: ${command} says ${names} and stops`, async (t) => {
    const real = stackEnv(t)
    const redis = { CLICKLEDGER_REDIS_URL: withPassword(real.CLICKLEDGER_REDIS_URL, hidden) }
    const more = names === 'CLICKLEDGER_REDIS_URL' ? redis : env
    await checkRefused(t, { command, env: { ...real, ...more }, names })
  })
}

function withPassword(text: string | undefined, password: string): string {
  const url = new URL(text ?? 'redis://127.0.0.1')
  url.password = password
  return url.href
}

test.serial('topics with another number of partitions: the setting and both numbers', async (t) => {
  const env = stackEnv(t)
  const log = await openEventLog(readSettings({ ...env, CLICKLEDGER_PARTITIONS: '3' }), Date.now)
  await log.close()
  const names = 'CLICKLEDGER_PARTITIONS'
  await checkRefused(t, { command: 'speed', env: { ...env, CLICKLEDGER_PARTITIONS: '5' }, names })
})

test.serial('a Druid that refuses the spec: its own words, and the setting', async (t) => {
  const env = stackEnv(t)
  const druid = http.createServer((request, response) => {
    if (request.method === 'POST' && request.url === '/druid/indexer/v1/supervisor') {
      response.writeHead(400, { 'content-type': 'application/json' })
      return response.end(JSON.stringify({ error: 'this Druid has no such extension' }))
    }
    const { method = 'GET', headers } = request
    const real = http.request(`${env.CLICKLEDGER_DRUID_URL}${request.url}`, { method, headers })
    real.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    real.on('error', () => response.destroy())
    request.pipe(real)
  })
  await new Promise<void>((resolve) => druid.listen(0, '127.0.0.1', resolve))
  t.teardown(() => druid.close())
  const { port } = druid.address() as AddressInfo
  const more = { CLICKLEDGER_DRUID_URL: `http://127.0.0.1:${port}` }
  await checkRefused(t, { command: 'serve', env: { ...env, ...more }, names: 'no such extension' })
})
