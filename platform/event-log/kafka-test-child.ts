// A process of its own that copies a topic with process(), for tests that stop or kill it. Says
// "handling" on stdout before each batch.
import { topics } from '#schemas/topics.ts'
import { readSettings } from '../config.ts'
import { openKafkaEventLog } from './kafka.ts'

const log = await openKafkaEventLog({ settings: readSettings(process.env) })
const processor = await log.process({
  group: 'copy',
  topic: topics.raw.name,
  maxRecords: 10,
  now: Date.now,
  outputs: [topics.judged.name],
  open: async () => ({
    handle(records) {
      if (records.length > 0) process.stdout.write('handling\n')
      return records.map((record) => ({ ...record, topic: topics.judged.name }))
    },
  }),
})
await processor.done
