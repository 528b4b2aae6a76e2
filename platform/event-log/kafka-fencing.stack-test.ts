// Zombies: a process that was taken for dead and wakes up in the middle of a transaction. What it
// writes must not count, and what took over must have everything exactly once.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import kafkajs from 'kafkajs'
import { reaches } from '#core/offsets.ts'
import { topics } from '#schemas/topics.ts'
import { stackEnv } from '../../tests/support/stack.ts'
import { readSettings } from '../config.ts'
import { until } from '../wait.ts'
import { openKafkaEventLog } from './kafka.ts'
import { isFenced, kafkaClient, kafkaNames, sendOptions } from './kafka-client.ts'
import type { EventLog, NewRecord, Processor } from './port.ts'

const group = 'copy'
const input = topics.raw.name
const output = topics.judged.name
const child = fileURLToPath(new URL('kafka-test-child.ts', import.meta.url))

async function setUp(t: ExecutionContext, partitions: number) {
  const env = stackEnv(t)
  const settings = readSettings(env)
  const log = await openKafkaEventLog({ settings })
  await log.ensureTopics([topics.raw, topics.judged], partitions)
  t.teardown(() => log.close())
  return { env, settings, log }
}

const records = (count: number, from = 0): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    key: `key-${i}`,
    value: Buffer.from(`record-${from + i}`),
    timestamp: Date.now(),
  }))

const startCopy = (log: EventLog): Promise<Processor> =>
  log.process({
    ...{ group, topic: input, maxRecords: 10, now: Date.now, outputs: [output] },
    open: async () => ({
      handle: (some) => some.map((record) => ({ ...record, topic: output })),
    }),
  })

async function copied(log: EventLog): Promise<string[]> {
  const texts: string[] = []
  for (const [partition, end] of (await log.endOffsets(output)).entries()) {
    const reader = await log.reader(output, partition, 0)
    while (reader.position < end) {
      for (const { value } of await reader.read(1_000, 1_000)) {
        texts.push(Buffer.from(value).toString())
      }
    }
    await reader.close()
  }
  return texts
}

const isDone = async (log: EventLog): Promise<boolean> => {
  const [committed, ends] = await Promise.all([
    log.committedOffsets(group, input),
    log.endOffsets(input),
  ])
  return reaches(committed, ends)
}

const poll = { everyMs: 50 }

async function exactlyOnce(t: ExecutionContext, log: EventLog, count: number): Promise<void> {
  await until(() => isDone(log), { ...poll, what: 'everything is copied' })
  const texts = await copied(log)
  t.is(texts.length, count)
  t.is(new Set(texts).size, count)
}

test('a transaction that was open when another took over cannot be committed', async (t) => {
  const { settings, log } = await setUp(t, 1)
  const names = kafkaNames(settings)
  const zombie = kafkaClient(settings).producer({
    ...{ idempotent: true, maxInFlightRequests: 1 },
    transactionalId: names.transactionalId(group, input, 0),
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await zombie.connect()
  t.teardown(() => zombie.disconnect())
  await log.committedOffsets(group, input) // the first group of a new broker: plain kafkajs gives up
  await log.append(input, records(50))
  const transaction = await zombie.transaction()
  const messages = records(50).map(({ key, value }) => ({ key, value: Buffer.from(value) }))
  await transaction.send({ topic: names.topic(output), messages, ...sendOptions })
  await transaction.sendOffsets({
    consumerGroupId: names.group(group),
    topics: [{ topic: names.topic(input), partitions: [{ partition: 0, offset: '50' }] }],
  })
  const processor = await startCopy(log)
  await exactlyOnce(t, log, 50)
  const error = await t.throwsAsync(transaction.commit())
  t.true(isFenced(error), String(error))
  await exactlyOnce(t, log, 50)
  await processor.close()
})

async function startChild(t: ExecutionContext, env: Record<string, string>) {
  const started = spawn(process.execPath, [child], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => started.kill('SIGKILL'))
  await once(started.stdout, 'data')
  return started as ChildProcess
}

test('a process that is stopped in mid work and goes on later adds nothing', async (t) => {
  const { env, log } = await setUp(t, 2)
  await log.append(input, records(400))
  const zombie = await startChild(t, env)
  zombie.kill('SIGSTOP')
  await log.append(input, records(400, 400))
  const processor = await startCopy(log)
  await exactlyOnce(t, log, 800)
  zombie.kill('SIGCONT')
  await log.append(input, records(400, 800))
  await exactlyOnce(t, log, 1_200)
  await processor.close()
  // The one that was taken for dead is a member again, and carries on alone.
  await log.append(input, records(100, 1_200))
  await exactlyOnce(t, log, 1_300)
})

test('killed again and again in mid work, everything is there once', async (t) => {
  const { env, log } = await setUp(t, 2)
  const kills = Number(process.env.FAULT_KILLS ?? 3)
  for (let n = 0; n < kills; n++) {
    await log.append(input, records(200, n * 200))
    const running = await startChild(t, env)
    running.kill('SIGKILL')
    await once(running, 'exit')
  }
  const processor = await startCopy(log)
  await exactlyOnce(t, log, kills * 200)
  await processor.close()
})
