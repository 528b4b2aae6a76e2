// Stacks of their own, of the servers that start in seconds.

import { chmodSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import test, { type ExecutionContext } from 'ava'
import { Client } from 'pg'
import { createClient } from 'redis'
import { readSettings } from '#platform/config.ts'
import { kafkaClient } from '#platform/event-log/kafka-client.ts'
import { until } from '#platform/wait.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { isFree, takenPorts } from './ports.ts'
import { findStack, localStackEnv, openStack, resetStack, type Stack, startStack } from './stack.ts'
import type { ServerName } from './state.ts'

const small: readonly ServerName[] = ['postgres', 'redis', 's3', 'kafka']

function stackDir(t: ExecutionContext): string {
  const dir = scratchDir(t)
  chmodSync(dir, 0o711) // PostgreSQL may have to run as another user
  t.teardown(() => findStack(dir)?.kill())
  return dir
}

const pidsOf = (stack: Stack) => stack.servers.map((server) => server.pid())

async function onPostgres(stack: Stack, query: string): Promise<unknown[]> {
  const client = new Client({ connectionString: stack.env.CLICKLEDGER_POSTGRES_URL })
  await client.connect()
  try {
    return (await client.query(query)).rows
  } finally {
    await client.end()
  }
}

async function onS3<T>(stack: Stack, work: (client: S3Client) => Promise<T>): Promise<T> {
  const settings = readSettings(stack.env)
  const client = new S3Client({
    ...{ endpoint: settings.CLICKLEDGER_S3_ENDPOINT, region: settings.CLICKLEDGER_S3_REGION },
    forcePathStyle: true,
    credentials: {
      accessKeyId: settings.CLICKLEDGER_S3_ACCESS_KEY,
      secretAccessKey: settings.CLICKLEDGER_S3_SECRET_KEY,
    },
  })
  try {
    return await work(client)
  } finally {
    client.destroy()
  }
}

async function topicsOf(stack: Stack, made?: string): Promise<string[]> {
  const admin = kafkaClient(readSettings(stack.env)).admin()
  await admin.connect()
  try {
    if (made) await admin.createTopics({ topics: [{ topic: made }] })
    return await admin.listTopics()
  } finally {
    await admin.disconnect()
  }
}

const object = { Bucket: 'clickledger', Key: 'kept' }

async function writeAll(stack: Stack) {
  await onPostgres(stack, 'CREATE TABLE kept AS SELECT 7 AS n')
  await onS3(stack, (client) => client.send(new PutObjectCommand({ ...object, Body: 'seven' })))
  await topicsOf(stack, 'kept')
}

async function readAll(stack: Stack) {
  const body = await onS3(stack, async (client) =>
    (await client.send(new GetObjectCommand(object))).Body?.transformToString(),
  )
  const topics = await topicsOf(stack)
  return [await onPostgres(stack, 'SELECT n FROM kept'), body, topics.includes('kept')]
}

const written = [[{ n: 7 }], 'seven', true]

test('data outlive a stop and a kill, a stop leaves no process, a reset leaves no data', async (t) => {
  const dir = stackDir(t)
  const first = await startStack({ dir, only: small, ports: 'free' })
  await writeAll(first)
  t.deepEqual(localStackEnv(dir), first.env)
  const pids = pidsOf(first)

  const again = await startStack({ dir, only: small })
  t.deepEqual(pidsOf(again), pids, 'what runs already goes on')

  await again.stop()
  t.deepEqual(
    pidsOf(again),
    small.map(() => undefined),
  )
  const areFree = async () => (await takenPorts(again.config.portBase)).length === 0
  await until(areFree, { what: 'the ports are free' })
  t.throws(() => localStackEnv(dir), { message: /npm run stack/ })

  const second = await startStack({ dir, only: small })
  t.is(second.config.portBase, first.config.portBase)
  t.deepEqual(await readAll(second), written)

  const other = openStack(second.stateFile) // as another process holds it
  for (const name of small) {
    const server = other.server(name)
    await server.kill()
    t.is(server.pid(), undefined)
    await server.start()
  }
  t.deepEqual(await readAll(second), written)

  t.throws(() => resetStack(dir), { code: 'already-running' })
  await second.stop()
  resetStack(dir)
  for (const name of [...small, 'run', 'log']) t.false(existsSync(join(dir, name)), name)
})

test('a paused server answers nothing until it is resumed', async (t) => {
  const stack = await startStack({ dir: stackDir(t), only: ['redis'], ports: 'free' })
  const client = createClient({ url: stack.env.CLICKLEDGER_REDIS_URL ?? '' })
  t.teardown(() => client.destroy())
  await client.connect()
  stack.server('redis').pause()
  let isAnswered = false
  const answer = client.ping().then(() => {
    isAnswered = true
  })
  await until(() => isStopped(stack.server('redis').pid()), { what: 'it stops' })
  t.false(isAnswered)
  stack.server('redis').resume()
  await answer
  t.true(isAnswered)
})

test('a server that two start at once is launched once', async (t) => {
  const { stateFile } = await startStack({ dir: stackDir(t), only: ['redis'], ports: 'free' })
  const [one, two] = [openStack(stateFile).server('redis'), openStack(stateFile).server('redis')]
  await one.kill()
  const results = await Promise.allSettled([one.start(), two.start()])
  const refused = results.filter((result) => result.status === 'rejected')
  for (const { reason } of refused) t.is(reason.code, 'already-running')
  t.true(refused.length < 2)
  t.is(one.pid(), two.pid())
  await one.stop()
  t.true(await isFree(one.port), 'no second one is left')
})

test('a start that is interrupted stops what it started', async (t) => {
  const dir = stackDir(t)
  const controller = new AbortController()
  const progress = (line: string) => {
    if (line.startsWith('redis')) controller.abort(new Error('interrupted'))
  }
  const { signal } = controller
  await t.throwsAsync(startStack({ dir, only: small, ports: 'free', progress, signal }), {
    message: 'interrupted',
  })
  const stack = findStack(dir)
  t.deepEqual(
    stack && pidsOf(stack),
    small.map(() => undefined),
  )
})

test('a taken port is told before anything starts', async (t) => {
  const stack = await startStack({ dir: stackDir(t), only: ['redis'], ports: 'free' })
  const ports = stack.config.portBase
  await t.throwsAsync(startStack({ dir: stackDir(t), only: ['redis'], ports }), {
    message: new RegExp(`port ${stack.server('redis').port} is taken`),
  })
})

function isStopped(pid: number | undefined): boolean {
  return readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') T ')
}
