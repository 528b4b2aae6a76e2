// What transactions wrote to a topic and never committed: the proof that a kill came in the middle of
// one. Readers never see it.
import type { Settings } from '#platform/config.ts'
import { kafkaConnect, kafkaNames } from '#platform/event-log/kafka-client.ts'
import { committedRecords } from '#platform/event-log/kafka-fetcher.ts'
import { openKafkaLink } from '#platform/event-log/kafka-link.ts'

const readCommitted = 1
const maxBytes = 8 * 1024 * 1024

/** @returns records on the topic that belong to aborted transactions */
export async function countAborted(settings: Settings, name: string): Promise<number> {
  const topic = kafkaNames(settings).topic(name)
  const link = openKafkaLink(kafkaConnect(settings), settings)
  let aborted = 0
  try {
    const leaders = await link.leaders(topic)
    for (const [partition, end] of (await link.endOffsets(topic)).entries()) {
      const nodeId = leaders[partition] ?? 0
      for (let from = 0; from < end; ) {
        const [fetched] = await link.run([topic], async (cluster) => {
          const broker = await cluster.findBroker({ nodeId })
          const { responses } = await broker.fetch({
            ...{ isolationLevel: readCommitted, maxWaitTime: 100, minBytes: 1, maxBytes },
            topics: [{ topic, partitions: [{ partition, fetchOffset: String(from), maxBytes }] }],
          })
          return responses.flatMap((response) => response.partitions)
        })
        const last = fetched?.messages.at(-1)
        if (!fetched || !last) break // an open transaction: its end is not known yet
        const written = fetched.messages.filter((message) => !message.isControlRecord)
        aborted += written.length - committedRecords(fetched).length
        from = Number(last.offset) + 1
      }
    }
  } finally {
    await link.close()
  }
  return aborted
}
