// clicks.raw on a real Kafka, read by a client that is not ours: librdkafka, through Python.
import test from 'ava'
import { partitionKey } from '#core/identity.ts'
import { openKafkaEventLog } from '#platform/event-log/kafka.ts'
import { withRegistryIds } from '#platform/schema-registry-log.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import { rawWriterId } from '#schemas/avro-schema.ts'
import type { RawClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { seed } from '../tests/support/random-clicks.ts'
import { stackSettings } from '../tests/support/stack.ts'
import { openPython } from './python.ts'
import { oddClicks, parseLines, schemaDir } from './support.ts'

/** An id as a registry that others use too would give it. */
const registryId = 100_042

const byId = (clicks: readonly RawClick[]) =>
  [...clicks].sort((a, b) => (a.event_id < b.event_id ? -1 : 1))

for (const { name, ids, options } of [
  { name: 'as it is', ids: undefined, options: [] },
  {
    name: 'with the id of a schema registry',
    ids: new Map([[rawWriterId, registryId]]),
    options: ['--id', `${registryId}=${rawWriterId}`],
  },
]) {
  test(`clicks.raw on Kafka is read by librdkafka and fastavro, ${name}`, async (t) => {
    t.log(`seed ${seed}`)
    const python = await openPython()
    const settings = stackSettings(t)
    const kafka = await openKafkaEventLog({ settings })
    const log = ids ? withRegistryIds(kafka, ids) : kafka
    t.teardown(() => log.close())
    await log.ensureTopics([topics.raw], 3)
    const clicks = oddClicks({ count: 1_000, seed })
    await log.append(
      topics.raw.name,
      clicks.map((click) => ({
        key: partitionKey(click.event_id, ''),
        value: encodeRawClick(click),
        timestamp: Date.now(),
      })),
    )
    const topic = `${settings.CLICKLEDGER_NAMESPACE}.${topics.raw.name}`
    const brokers = settings.CLICKLEDGER_KAFKA_BROKERS.join(',')
    const read = await python.run('read_clicks.py', [...options, schemaDir, brokers, topic])
    t.deepEqual(byId(parseLines(read)), byId(clicks))
  })
}
