// The event log with a registry's schema ids on the wire. Everything on this side of it keeps the
// fixed ids of schemas/avro-schema.ts: the write-ahead log, the codec, dead letters. So a registry can
// be set, changed or taken away without a record that can no longer be read.
import { withSchemaId } from '#schemas/avro.ts'
import { topics } from '#schemas/topics.ts'
import type { EventLog, PartitionTask } from './event-log/port.ts'
import type { RegistryIds } from './schema-registry.ts'

type Framed = { readonly value: Uint8Array }

/**
 * Wraps an event log: records of clicks.raw get the registry's ids as they are appended, and ours
 * back as they are read. An id that the registry did not give us stays: ours from before there was
 * one, or a stranger's, which decoding refuses. Outputs of a processor are left alone: clicks.raw is
 * never one.
 */
export function withRegistryIds(log: EventLog, ids: RegistryIds): EventLog {
  const own = new Map([...ids].map(([ours, theirs]) => [theirs, ours]))
  const reframed = <R extends Framed>(records: readonly R[], by: RegistryIds): R[] =>
    records.map((record) => {
      const value = withSchemaId(record.value, by)
      return value === record.value ? record : { ...record, value }
    })
  const wrapTask = (task: PartitionTask): PartitionTask => ({
    handle: (records) => task.handle(reframed(records, own)),
    progressed: (state) => task.progressed?.(state),
    closed: () => task.closed?.(),
  })
  return {
    ensureTopics: (list, partitions) => log.ensureTopics(list, partitions),
    append: (topic, records) =>
      log.append(topic, topic === topics.raw.name ? reframed(records, ids) : records),
    async reader(topic, partition, fromOffset) {
      const reader = await log.reader(topic, partition, fromOffset)
      if (topic !== topics.raw.name) return reader
      return {
        read: async (max, waitMs) => reframed(await reader.read(max, waitMs), own),
        get position() {
          return reader.position
        },
        close: () => reader.close(),
      }
    },
    process: (spec) =>
      log.process({
        ...spec,
        open: async (partition, committed) => {
          const task = await spec.open(partition, committed)
          return spec.topic === topics.raw.name ? wrapTask(task) : task
        },
      }),
    endOffsets: (topic) => log.endOffsets(topic),
    committedOffsets: (group, topic) => log.committedOffsets(group, topic),
    offsetAt: (topic, partition, time) => log.offsetAt(topic, partition, time),
    close: () => log.close(),
  }
}
