// Consume, transform, produce on the SQLite log: one member has all partitions; outputs and
// offsets of a round are one transaction. A newer member raises the group's epoch, and the older
// one's next commit is refused (fenced).
import { ClickledgerError } from '#schemas/errors.ts'
import { isDiskFull } from '../disk-full.ts'
import { backoffMs, pause } from '../wait.ts'
import {
  checkOutputs,
  type LogReader,
  type LogRecord,
  type NewRecord,
  type PartitionTask,
  type Processor,
  type ProcessSpec,
} from './port.ts'
import type { SqliteStore } from './sqlite-store.ts'

/** Between rounds that leave nothing waiting: each round with records is a synced transaction. */
const betweenMs = 10
const busyRecords = 500
/** Failures in a row after which the processor gives up; a full disk is waited for. */
const attemptsMax = 8

interface Assigned {
  readonly partition: number
  readonly reader: LogReader
  readonly task: PartitionTask
}

export interface ProcessorParts {
  readonly spec: ProcessSpec
  readonly input: SqliteStore
  readonly outputs: SqliteStore
  readonly reader: (topic: string, partition: number, from: number) => Promise<LogReader>
}

export function startProcessor({ spec, input, outputs, reader }: ProcessorParts): Processor {
  const { group, topic, maxRecords, now } = spec
  const stopping = new AbortController()
  const epoch = outputs.join(group, topic)

  const openAll = async (assigned: Assigned[]): Promise<void> => {
    const committed = outputs.committed(group, topic, input.partitions(topic))
    for (const [partition, from] of committed.entries()) {
      const task = await spec.open(partition, from)
      assigned.push({ partition, task, reader: await reader(topic, partition, from) })
    }
  }

  /** @returns how many records were handled */
  const round = async (assigned: readonly Assigned[]): Promise<number> => {
    let handled = 0
    const readAt = now()
    const ends = input.ends(topic)
    const produced = new Map<string, NewRecord[]>()
    const offsets = new Map<number, number>()
    for (const { partition, task, reader: from } of assigned) {
      const records: LogRecord[] = await from.read(maxRecords, 0)
      if (records.length === 0) continue
      const made = task.handle(records)
      checkOutputs(spec, made)
      for (const { topic: output, ...record } of made) {
        const list = produced.get(output)
        if (list) list.push(record)
        else produced.set(output, [record])
      }
      offsets.set(partition, from.position)
      handled += records.length
    }
    if (offsets.size > 0) outputs.commit({ group, topic, epoch, offsets }, produced)
    for (const { partition, task, reader: from } of assigned) {
      task.progressed?.({ committed: from.position, end: ends[partition] ?? 0, readAt })
    }
    return handled
  }

  const run = async (): Promise<void> => {
    let failures = 0
    while (!stopping.signal.aborted) {
      const assigned: Assigned[] = []
      try {
        // After a failure the tasks are ahead of what is committed: open them anew.
        await openAll(assigned)
        while (!stopping.signal.aborted) {
          if ((await round(assigned)) < busyRecords) await pause(betweenMs, stopping.signal)
          failures = 0
        }
      } catch (error) {
        if (error instanceof ClickledgerError && error.code === 'fenced') throw error
        if (++failures >= attemptsMax && !isDiskFull(error)) throw error
        await pause(backoffMs(failures), stopping.signal)
      } finally {
        for (const { task } of assigned) task.closed?.()
      }
    }
  }

  const done = run()
  done.catch(() => {}) // the owner sees it on `done`; nobody else needs to
  return {
    done,
    async close() {
      stopping.abort()
      await done.catch(() => {})
    },
  }
}
