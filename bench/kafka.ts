// The event log on Kafka: appending, and the speed layer's work with exactly-once commits, beside
// kafkajs used plainly on the same topics in the same run. Names the brokers by
// CLICKLEDGER_KAFKA_BROKERS; every run makes topics of its own.
import kafkajs from 'kafkajs'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { readSettings } from '#platform/config.ts'
import { openKafkaEventLog } from '#platform/event-log/kafka.ts'
import { kafkaClient, kafkaNames, sendOptions } from '#platform/event-log/kafka-client.ts'
import type { EventLog, NewRecord, Output, PartitionTask } from '#platform/event-log/port.ts'
import { until } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { createPartitionJudge } from '../speed-layer/judge-partition.ts'
import { madeRecord } from './support/raw-clicks.ts'
import {
  type BenchResult,
  milliseconds,
  perSecond,
  printResult,
  quantile,
  ratio,
} from './support/report.ts'

const partitions = 4
const ratePerSecond = 10_000
const maxRecords = 2_000
/** Now: what is older than the retention is deleted while it is being read. */
const start = Date.now()
const limits = { historyMs: 600_000, timesMax: 1_000_000 }
const deadline = { timeoutMs: 180_000 }
const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)

const namespace = `bench-${Math.random().toString(36).slice(2, 10)}`
const settings = readSettings({ ...process.env, CLICKLEDGER_NAMESPACE: namespace })
const client = kafkaClient(settings)
const names = kafkaNames(settings)

interface Timed {
  readonly count: number
  readonly ms: number
  /** Processor time of this process, all threads. */
  readonly cpuMs: number
}

async function timed(count: number, work: () => Promise<void>): Promise<Timed> {
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await work()
  const ms = performance.now() - begun
  const { user, system } = process.cpuUsage(cpu)
  return { count, ms, cpuMs: (user + system) / 1_000 }
}

const rates = ({ count, ms, cpuMs }: Timed): string =>
  `${perSecond(count, ms)}, ${perSecond(count, cpuMs)} per core`

function madeRecords(count: number): NewRecord[] {
  return Array.from({ length: count }, (_, n) => madeRecord(n, start, ratePerSecond))
}

async function appended(
  records: readonly NewRecord[],
  size: number,
  append: (batch: readonly NewRecord[]) => Promise<void>,
): Promise<Timed & { readonly latencies: number[] }> {
  const latencies: number[] = []
  const result = await timed(records.length, async () => {
    for (let n = 0; n < records.length; n += size) {
      const begun = performance.now()
      await append(records.slice(n, n + size))
      latencies.push(performance.now() - begun)
    }
  })
  return { ...result, latencies }
}

async function plainProducer(options: kafkajs.ProducerConfig = {}): Promise<kafkajs.Producer> {
  const producer = client.producer({
    ...{ idempotent: true, maxInFlightRequests: 1, ...options },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  return producer
}

const plainMessages = (batch: readonly NewRecord[]): kafkajs.Message[] =>
  batch.map(({ key, value, timestamp }) => ({
    ...{ key, timestamp: String(timestamp) },
    value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  }))

async function benchAppend(log: EventLog, records: readonly NewRecord[], size: number) {
  const producer = await plainProducer()
  const topic = names.topic(topics.raw.name)
  const plain = await appended(records, size, async (batch) => {
    await producer.send({ topic, messages: plainMessages(batch), ...sendOptions })
  })
  await producer.disconnect()
  const ours = await appended(records, size, (batch) => log.append(topics.raw.name, batch))
  const latency = `${milliseconds(quantile(ours.latencies, 0.5))}, p99 ${milliseconds(quantile(ours.latencies, 0.99))}`
  return {
    [`append, batches of ${size}`]: `${rates(ours)}; p50 ${latency}`,
    [`append / plain kafkajs send, batches of ${size}`]: `${ratio(plain.ms, ours.ms)}`,
  }
}

async function processed(log: EventLog, open: () => PartitionTask): Promise<Timed> {
  const group = `bench-${Math.random()}`
  const ends = await log.endOffsets(topics.raw.name)
  return timed(sum(ends), async () => {
    const processor = await log.process({
      group,
      topic: topics.raw.name,
      outputs: [topics.judged.name],
      maxRecords,
      now: Date.now,
      open: async () => open(),
    })
    await until(async () => sum(await log.committedOffsets(group, topics.raw.name)) >= sum(ends), {
      ...deadline,
      everyMs: 50,
      what: 'everything is processed',
    })
    await processor.close()
  })
}

/** Consumes and produces with kafkajs alone, in steps of the same size: no judging. */
async function plainCopy(count: number, transactional: boolean): Promise<Timed> {
  const groupId = `${namespace}.plain-${Math.random()}`
  const topic = names.topic(topics.raw.name)
  const to = names.topic(topics.judged.name)
  const producers = await Promise.all(
    Array.from({ length: partitions }, (_, p) =>
      plainProducer(transactional ? { transactionalId: `${groupId}.${p}` } : {}),
    ),
  )
  let copied = 0
  const copy = async (partition: number, messages: readonly kafkajs.KafkaMessage[]) => {
    const producer = producers[partition]
    const last = messages.at(-1)
    if (!producer || !last) return
    const values = messages.map(({ key, value, timestamp }) => ({ key, value, timestamp }))
    const out = { topic: to, messages: values, ...sendOptions }
    if (transactional) {
      const transaction = await producer.transaction()
      await transaction.send(out)
      const offset = String(Number(last.offset) + 1)
      const offsets = [{ topic, partitions: [{ partition, offset }] }]
      await transaction.sendOffsets({ consumerGroupId: groupId, topics: offsets })
      await transaction.commit()
    } else {
      await producer.send(out)
    }
    copied += messages.length
  }
  const consumer = client.consumer({
    ...{ groupId, maxWaitTimeInMs: 100, maxBytesPerPartition: 262_144, sessionTimeout: 30_000 },
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  const result = await timed(count, async () => {
    await consumer.run({
      ...{ autoCommit: false, partitionsConsumedConcurrently: partitions },
      eachBatch: async ({ batch, heartbeat }) => {
        for (let n = 0; n < batch.messages.length; n += maxRecords) {
          await copy(batch.partition, batch.messages.slice(n, n + maxRecords))
          await heartbeat()
        }
      },
    })
    await until(() => copied >= count, { ...deadline, everyMs: 20, what: 'everything is copied' })
  })
  await consumer.disconnect()
  for (const producer of producers) await producer.disconnect()
  return result
}

async function read(log: EventLog): Promise<Timed> {
  const ends = await log.endOffsets(topics.raw.name)
  return timed(sum(ends), async () => {
    await Promise.all(
      ends.map(async (end, partition) => {
        const reader = await log.reader(topics.raw.name, partition, 0)
        while (reader.position < end) await reader.read(maxRecords, 1_000)
        await reader.close()
      }),
    )
  })
}

export async function runKafkaBench(clicks: number): Promise<BenchResult> {
  const log = await openKafkaEventLog({ settings })
  try {
    await log.ensureTopics(Object.values(topics), partitions)
    const records = madeRecords(clicks)
    const appends = {
      ...(await benchAppend(log, records, 500)),
      ...(await benchAppend(log, records, 5_000)),
    }
    const count = sum(await log.endOffsets(topics.raw.name))
    const plain = await plainCopy(count, false)
    const plainExact = await plainCopy(count, true)
    const copy = await processed(log, () => ({
      handle: (records) => records.map((r): Output => ({ ...r, topic: topics.judged.name })),
    }))
    const judged = await processed(log, () => {
      const judge = createPartitionJudge(defaultRuleSet, limits)
      return { handle: (records) => judge.handle(records, start) }
    })
    return {
      name: `Event log on Kafka: ${clicks.toLocaleString('en')} made-up clicks, one thread`,
      figures: {
        ...appends,
        'read, nothing else': rates(await read(log)),
        'judged, exactly once': rates(judged),
        'copied by process(), exactly once': rates(copy),
        'copied by plain kafkajs': rates(plain),
        'copied by plain kafkajs, exactly once': rates(plainExact),
        'judged / copied by plain kafkajs': `${ratio(plain.ms, judged.ms)}, per core ${ratio(plain.cpuMs, judged.cpuMs)}`,
        'judged / copied by plain kafkajs, exactly once': `${ratio(plainExact.ms, judged.ms)}, per core ${ratio(plainExact.cpuMs, judged.cpuMs)}`,
      },
    }
  } finally {
    await log.close()
  }
}

if (import.meta.main) {
  const [clicks = 100_000] = process.argv.slice(2).map(Number)
  printResult(await runKafkaBench(clicks))
}
