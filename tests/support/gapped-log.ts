// A log whose offsets have gaps, as Kafka's have where transactions end: after each record comes an
// offset that nobody sees.
import type { EventLog } from '#platform/event-log/port.ts'

export function gappedLog(log: EventLog): EventLog {
  return {
    ...log,
    endOffsets: async (topic) => (await log.endOffsets(topic)).map((end) => 2 * end),
    offsetAt: async (topic, partition, time) => 2 * (await log.offsetAt(topic, partition, time)),
    async reader(topic, partition, from) {
      const reader = await log.reader(topic, partition, Math.ceil(from / 2))
      return {
        async read(maxRecords, waitMs) {
          const records = await reader.read(maxRecords, waitMs)
          return records.map((record) => ({ ...record, offset: 2 * record.offset }))
        },
        get position() {
          return Math.max(from, 2 * reader.position)
        },
        close: () => reader.close(),
      }
    },
  }
}
