// A wrong setting stops the start, with one message that says which and what to do.
import { createServer, type Socket } from 'node:net'
import test from 'ava'
import { topics } from '#schemas/topics.ts'
import { stackSettings } from '../../tests/support/stack.ts'
import { openKafkaEventLog } from './kafka.ts'
import { kafkaClient, kafkaNames } from './kafka-client.ts'

/** A start that comes to nothing takes five seconds; the rest is for machines that stand still meanwhile. */
const endsWithinMs = 60_000

test('nobody listens there', async (t) => {
  const settings = stackSettings(t, { CLICKLEDGER_KAFKA_BROKERS: '127.0.0.1:9' })
  const begun = Date.now()
  await t.throwsAsync(openKafkaEventLog({ settings }), {
    code: 'unavailable',
    message: /CLICKLEDGER_KAFKA_BROKERS \(127\.0\.0\.1:9\).*CLICKLEDGER_KAFKA_USERNAME/,
  })
  t.true(Date.now() - begun < endsWithinMs)
})

test('somebody listens there and never answers', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const settings = stackSettings(t, { CLICKLEDGER_KAFKA_BROKERS: `127.0.0.1:${port}` })
  const begun = Date.now()
  await t.throwsAsync(openKafkaEventLog({ settings }), {
    code: 'unavailable',
    message: /CLICKLEDGER_KAFKA_BROKERS/,
  })
  t.true(Date.now() - begun < endsWithinMs)
})

test('a topic with another number of partitions', async (t) => {
  const log = await openKafkaEventLog({ settings: stackSettings(t) })
  t.teardown(() => log.close())
  await log.ensureTopics([topics.raw], 3)
  await log.ensureTopics([topics.raw], 3)
  await t.throwsAsync(log.ensureTopics([topics.raw, topics.judged], 4), {
    code: 'invalid-settings',
    message:
      /clicks\.raw has 3 partitions, but CLICKLEDGER_PARTITIONS is 4.*Set CLICKLEDGER_PARTITIONS to 3/,
  })
})

test('a topic that forgets too early', async (t) => {
  const log = await openKafkaEventLog({ settings: stackSettings(t) })
  t.teardown(() => log.close())
  await log.ensureTopics([{ ...topics.raw, retentionMs: 3_600_000 }], 3)
  await t.throwsAsync(log.ensureTopics([topics.raw], 3), {
    code: 'invalid-settings',
    message: /clicks\.raw keeps records for 3600000 ms \(retention\.ms\)/,
  })
})

test('topics are made as the settings say', async (t) => {
  const settings = stackSettings(t)
  const log = await openKafkaEventLog({ settings })
  t.teardown(() => log.close())
  await Promise.all([
    log.ensureTopics([topics.raw, topics.judged], 2),
    log.ensureTopics([topics.raw, topics.judged], 2),
  ])
  const admin = kafkaClient(settings).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const { brokers } = await admin.describeCluster()
  const topic = kafkaNames(settings).topic(topics.raw.name)
  const [made] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
  const replicas = Math.min(brokers.length, settings.CLICKLEDGER_KAFKA_REPLICATION)
  t.deepEqual(
    made?.partitions.map((partition) => partition.replicas.length),
    [replicas, replicas],
  )
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: 2, name: topic }],
  })
  const configs = new Map(
    resources[0]?.configEntries.map((entry) => [entry.configName, entry.configValue]),
  )
  t.is(configs.get('retention.ms'), `${topics.raw.retentionMs}`)
  t.is(configs.get('min.insync.replicas'), replicas >= 3 ? '2' : '1')
  t.is(configs.get('compression.type'), 'producer')
})
