// The event log on Apache Kafka or Redpanda, over kafkajs. `endOffsets` count open
// transactions too: what `process` has committed is below the ends at once, and readable a moment
// later. Offsets have gaps where transactions end; nobody may count records by subtracting them.
import type { Admin, ISocketFactory } from 'kafkajs'
import { createAppender } from './kafka-appender.ts'
import { explained, type KafkaSettings, kafkaConnect, kafkaNames, within } from './kafka-client.ts'
import { createFetcher } from './kafka-fetcher.ts'
import { openKafkaLink } from './kafka-link.ts'
import { startKafkaProcessor } from './kafka-processor.ts'
import { openReader } from './kafka-reader.ts'
import { ensureKafkaTopics } from './kafka-topics.ts'
import type { EventLog } from './port.ts'

/** At the start brokers are waited for so long, and no longer: a wrong setting should be told. */
const startMs = 10_000

export interface KafkaEventLogOptions {
  readonly settings: KafkaSettings
  /** For tests that cut or mute connections. */
  readonly socketFactory?: ISocketFactory
}

/**
 * Connects to the brokers.
 * @throws ClickledgerError `unavailable` where none answers, `invalid-settings` where the login fails
 */
export async function openKafkaEventLog(options: KafkaEventLogOptions): Promise<EventLog> {
  const { settings, socketFactory } = options
  const names = kafkaNames(settings)
  const connect = kafkaConnect(settings, socketFactory)
  const explain = (error: unknown): never => {
    throw explained(settings, error)
  }

  const administer = async <T>(ms: number, work: (admin: Admin) => Promise<T>): Promise<T> => {
    const { client, end } = connect()
    const admin = client.admin()
    try {
      await within(startMs, 'connecting', admin.connect())
      return await within(ms, 'asking the brokers', work(admin))
    } finally {
      void end(() => admin.disconnect())
    }
  }
  await administer(startMs, (admin) => admin.describeCluster()).catch(explain)

  const link = openKafkaLink(connect, settings)
  const fetcher = createFetcher(link)
  const appender = createAppender(connect)
  /** An append failed: leaders may have moved. */
  let suspect = false
  return {
    async ensureTopics(topics, partitions) {
      await administer(60_000, (admin) =>
        ensureKafkaTopics({ admin, settings, names, topics, partitions }),
      ).catch(explain)
    },
    async append(name, records) {
      if (records.length === 0) return
      const topic = names.topic(name)
      await link
        .leaders(topic, suspect)
        .then((leaders) => appender.append(topic, leaders, records))
        .catch((error) => {
          suspect = true
          explain(error)
        })
      suspect = false
    },
    reader: async (topic, partition, from) =>
      openReader(fetcher, names.topic(topic), partition, from),
    process: async (spec) => startKafkaProcessor({ spec, connect, link, fetcher, names }),
    endOffsets: (topic) => link.endOffsets(names.topic(topic)),
    async committedOffsets(groupName, name) {
      const topic = names.topic(name)
      const partitions = (await link.leaders(topic)).map((_, partition) => partition)
      const offsets = await link.committedOffsets(names.group(groupName), topic, partitions)
      return offsets.map((offset) => Math.max(0, offset))
    },
    offsetAt: (topic, partition, time) => link.offsetAt(names.topic(topic), partition, time),
    async close() {
      fetcher.closeAll()
      await appender.close()
      await link.close()
    },
  }
}
