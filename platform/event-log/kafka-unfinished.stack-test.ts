// Transactions that the brokers say are finished and whose markers are missing: with the next marker
// they would count as well. Made here by sending records that no coordinator hears of.
import test, { type ExecutionContext } from 'ava'
import kafkajs from 'kafkajs'
import { topics } from '#schemas/topics.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { until } from '../wait.ts'
import { openKafkaEventLog } from './kafka.ts'
import { kafkaClient, kafkaConnect, kafkaNames, sendOptions } from './kafka-client.ts'
import { fence } from './kafka-coordinator.ts'
import { openKafkaLink } from './kafka-link.ts'
import { transactionHeader, transactionText } from './kafka-settlement.ts'
import type { EventLog } from './port.ts'

const group = 'copy'
const count = 50
const span = { from: 10, next: 40 }
const poll = { everyMs: 50 }

const textsOf = (from: number, next: number): string[] =>
  Array.from({ length: next - from }, (_, i) => `record-${from + i}`)

async function setUp(t: ExecutionContext) {
  const settings = stackSettings(t)
  const names = kafkaNames(settings)
  const log = await openKafkaEventLog({ settings })
  await log.ensureTopics([topics.raw, topics.judged], 1)
  const link = openKafkaLink(kafkaConnect(settings), settings)
  const admin = kafkaClient(settings).admin()
  await admin.connect()
  t.teardown(async () => {
    await Promise.all([log.close(), link.close(), admin.disconnect()])
  })
  await log.append(
    topics.raw.name,
    textsOf(0, count).map((text) => ({
      ...{ key: 'k', timestamp: Date.now(), value: Buffer.from(text) },
    })),
  )
  return {
    ...{ settings, log, link, admin },
    group: names.group(group),
    input: names.topic(topics.raw.name),
    output: names.topic(topics.judged.name),
    transactionalId: names.transactionalId(group, topics.raw.name, 0),
  }
}

type Made = Awaited<ReturnType<typeof setUp>>

/** Brokers check with the coordinator that a transaction is known; here they must not. */
async function checkTransactions(admin: kafkajs.Admin, value: 'true' | 'false'): Promise<void> {
  const configEntries = [{ name: 'transaction.partition.verification.enable', value }]
  const { brokers } = await admin.describeCluster()
  const resources = brokers.map(({ nodeId }) => ({
    ...{ type: kafkajs.ConfigResourceTypes.BROKER, name: String(nodeId), configEntries },
  }))
  await admin.alterConfigs({ validateOnly: false, resources })
}

/** Outputs of the span, as a transaction of the id sends them; no marker will follow. */
async function leaveOpen(t: ExecutionContext, made: Made): Promise<void> {
  const { link, admin, output, transactionalId } = made
  const { producing } = await fence(link, transactionalId, 60_000)
  const [first, ...others] = textsOf(span.from, span.next).map((value) => ({
    ...{ key: 'k', value: Buffer.from(value), timestamp: String(Date.now()) },
  }))
  const headers = { [transactionHeader]: transactionText(transactionalId, span) }
  const messages = [{ ...first, headers }, ...others]
  await checkTransactions(admin, 'false')
  t.teardown(() => checkTransactions(admin, 'true'))
  const partitions = [{ partition: 0, firstSequence: 0, messages }]
  const send = () =>
    link.run([output], async (cluster) => {
      const [{ leader: nodeId = -1 } = {}] = cluster.findTopicPartitionMetadata(output)
      const broker = await cluster.findBroker({ nodeId })
      await broker.produce({
        ...{ ...producing, ...sendOptions },
        topicData: [{ topic: output, partitions }],
      })
      return true
    })
  await until(() => send().catch(() => false), { ...poll, what: 'brokers do not ask' })
  const [bounds] = await link.bounds(output)
  t.true(bounds && bounds.stable < bounds.end, 'it is open, and nobody can read past it')
}

async function copied(log: EventLog): Promise<string[]> {
  const [end = 0] = await log.endOffsets(topics.judged.name)
  const reader = await log.reader(topics.judged.name, 0, 0)
  const texts: string[] = []
  const isRead = async () => {
    for (const { value } of await reader.read(1_000, 100)) texts.push(Buffer.from(value).toString())
    return reader.position >= end
  }
  await until(isRead, { ...poll, what: 'outputs can be read to the end' })
  await reader.close()
  return texts
}

/** Works on everything. @returns what an operator is told */
async function work(t: ExecutionContext, { log }: Made): Promise<string[]> {
  const told: string[] = []
  const processor = await log.process({
    ...{ group, topic: topics.raw.name, outputs: [topics.judged.name], maxRecords: 10 },
    now: Date.now,
    warn: (message) => told.push(message),
    open: async () => ({
      handle: (some) => some.map((record) => ({ ...record, topic: topics.judged.name })),
    }),
  })
  const isDone = async () => (await log.committedOffsets(group, topics.raw.name))[0] === count
  await until(isDone, { ...poll, what: 'everything is worked on' })
  await processor.close()
  const texts = await copied(log)
  t.deepEqual(texts.toSorted(), textsOf(0, count).toSorted())
  return told
}

/** The outputs before the span, as they should be. */
async function workUpTo(made: Made, next: number, withOffsets: boolean, from = 0): Promise<void> {
  const { settings, transactionalId, output } = made
  const producer = kafkaClient(settings).producer({
    ...{ idempotent: true, maxInFlightRequests: 1, transactionalId },
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const transaction = await producer.transaction()
  const headers = { [transactionHeader]: transactionText(transactionalId, { from, next }) }
  const messages = textsOf(from, next).map((value) => ({ key: 'k', value, headers }))
  await transaction.send({ topic: output, messages, ...sendOptions })
  const topic = { topic: made.input, partitions: [{ partition: 0, offset: String(next) }] }
  if (withOffsets) await transaction.sendOffsets({ consumerGroupId: made.group, topics: [topic] })
  await transaction.commit()
  await producer.disconnect()
}

test.serial('open outputs whose offset is not committed are aborted', async (t) => {
  const made = await setUp(t)
  await workUpTo(made, span.from, true)
  await leaveOpen(t, made)
  const told = await work(t, made)
  t.regex(told.join(), /is aborted now, and .* goes on at 10 \(10 was committed\)/)
})

test.serial(
  'open outputs whose offset is committed are aborted, and worked on again',
  async (t) => {
    const made = await setUp(t)
    await workUpTo(made, span.from, true)
    const fenced = await fence(made.link, made.transactionalId, 60_000)
    const at = { group: made.group, topic: made.input, partition: 0, offset: span.next }
    await fenced.moveTo(at)
    await leaveOpen(t, made)
    const told = await work(t, made)
    t.regex(told.join(), /is aborted now, and .* goes on at 10 \(40 was committed\)/)
  },
)

test.serial('outputs that can be read are not made again, whatever the offset says', async (t) => {
  const made = await setUp(t)
  await workUpTo(made, span.from, true)
  await workUpTo(made, span.next, false, span.from)
  const told = await work(t, made)
  t.regex(told.join(), /is committed now, and .* goes on at 40 \(10 was committed\)/)
})

test.serial('where all agrees, nothing is done and nothing is said', async (t) => {
  const made = await setUp(t)
  await workUpTo(made, span.from, true)
  t.deepEqual(await work(t, made), [])
})
