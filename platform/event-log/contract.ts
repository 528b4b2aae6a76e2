// The contract of an event log, run unchanged over every adapter.
import { randomUUID } from 'node:crypto'
import type { ExecutionContext, TestFn } from 'ava'
import { partitionOf } from '#core/identity.ts'
import type { Topic } from '#schemas/topics.ts'
import { topics } from '#schemas/topics.ts'
import { until } from '../wait.ts'
import type { EventLog, LogRecord, NewRecord, Output } from './port.ts'

const partitions = 3

export interface EventLogContract {
  /** Opens the same log again and again: what one has written, the next one reads. */
  open(t: ExecutionContext): Promise<() => Promise<EventLog>>
}

const record = (key: string, text: string, timestamp = 1_000): NewRecord => ({
  key,
  value: Buffer.from(text),
  timestamp,
})

async function readAll(log: EventLog, topic: string): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for (const [partition, end] of (await log.endOffsets(topic)).entries()) {
    const reader = await log.reader(topic, partition, 0)
    await until(
      async () => {
        if (reader.position < end) all.push(...(await reader.read(7, 50)))
        return reader.position >= end
      },
      { what: `reading ${topic} to its end` },
    )
    await reader.close()
  }
  return all
}

const texts = (records: readonly LogRecord[]) => records.map((r) => Buffer.from(r.value).toString())

export function testEventLogContract(test: TestFn, name: string, contract: EventLogContract): void {
  const freshTopic = (): Topic => ({ ...topics.judged, name: `test.${randomUUID()}` })

  const setUp = async (t: ExecutionContext) => {
    const open = await contract.open(t)
    const log = await open()
    const topic = freshTopic()
    await log.ensureTopics([topic, topics.judged, topics.deadLetters], partitions)
    t.teardown(() => log.close())
    return { open, log, topic: topic.name }
  }

  test(`${name}: records keep their order within a partition, by key`, async (t) => {
    const { log, topic } = await setUp(t)
    const sent = Array.from({ length: 500 }, (_, i) => record(`key-${i % 17}`, `value-${i}`, i))
    await log.append(topic, sent.slice(0, 200))
    await log.append(topic, sent.slice(200))
    const got = await readAll(log, topic)
    t.is(got.length, 500)
    for (let partition = 0; partition < partitions; partition++) {
      const mine = got.filter((r) => r.partition === partition)
      const expected = sent.filter((r) => partitionOf(r.key, partitions) === partition)
      t.deepEqual(
        texts(mine),
        expected.map((r) => Buffer.from(r.value).toString()),
      )
      t.deepEqual(
        mine.map((r) => r.offset),
        mine.map((_, i) => i),
      )
      t.deepEqual(
        mine.map((r) => r.timestamp),
        expected.map((r) => r.timestamp),
      )
    }
  })

  test(`${name}: what is appended is there after opening again`, async (t) => {
    const { open, log, topic } = await setUp(t)
    await log.append(topic, [record('a', 'one'), record('a', 'two')])
    const again = await open()
    t.deepEqual(texts(await readAll(again, topic)), ['one', 'two'])
    await again.ensureTopics([{ ...topics.judged, name: topic }], partitions)
    t.is(
      (await again.endOffsets(topic)).reduce((a, b) => a + b),
      2,
    )
    await again.close()
  })

  test(`${name}: a reader starts anywhere and waits for more`, async (t) => {
    const { log, topic } = await setUp(t)
    const partition = partitionOf('k', partitions)
    await log.append(
      topic,
      ['a', 'b', 'c', 'd'].map((text) => record('k', text)),
    )
    const reader = await log.reader(topic, partition, 2)
    t.deepEqual(texts(await reader.read(1, 1_000)), ['c'])
    t.deepEqual(texts(await reader.read(10, 1_000)), ['d'])
    t.deepEqual(await reader.read(10, 0), [])
    const waiting = reader.read(10, 10_000)
    await log.append(topic, [record('k', 'e')])
    t.deepEqual(texts(await waiting), ['e'])
    t.is(reader.position, 5)
    await reader.close()
  })

  test(`${name}: offsets are found by time`, async (t) => {
    const { log, topic } = await setUp(t)
    const partition = partitionOf('k', partitions)
    for (const time of [100, 200, 300]) await log.append(topic, [record('k', `${time}`, time)])
    t.is(await log.offsetAt(topic, partition, 0), 0)
    t.is(await log.offsetAt(topic, partition, 200), 1)
    t.is(await log.offsetAt(topic, partition, 201), 2)
    t.is(await log.offsetAt(topic, partition, 301), 3)
  })

  test(`${name}: outputs and offsets are committed together, whatever fails`, async (t) => {
    const { log, topic } = await setUp(t)
    const group = `group-${randomUUID()}`
    const before = (await readAll(log, topics.judged.name)).length
    const sent = Array.from({ length: 300 }, (_, i) => record(`key-${i % 11}`, `${group}:${i}`))
    await log.append(topic, sent)
    let handled = 0
    const processor = await log.process({
      group,
      topic,
      outputs: [topics.judged.name],
      maxRecords: 20,
      now: Date.now,
      open: async () => ({
        handle: (records) => {
          handled += records.length
          if (handled > 100 && handled < 160) throw new Error('injected: dies in the middle')
          return records.map((r): Output => ({ ...r, topic: topics.judged.name }))
        },
      }),
    })
    await until(
      async () => (await log.committedOffsets(group, topic)).reduce((a, b) => a + b) === 300,
      { what: 'the group reaches the end' },
    )
    await processor.close()
    const out = texts(await readAll(log, topics.judged.name)).filter((text) =>
      text.startsWith(group),
    )
    t.is(out.length, 300)
    t.is(new Set(out).size, 300)
    t.true(before >= 0 && handled > 300, 'something was handled twice, and committed once')
  })

  test(`${name}: a trace context goes with its record, through a transaction too`, async (t) => {
    const { log, topic } = await setUp(t)
    const group = `group-${randomUUID()}`
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    const traced = { ...record('clé', `${group}:traced`), traceparent }
    await log.append(topic, [record('k', `${group}:a`), traced, record('clé', `${group}:b`)])
    const contextOf = (records: readonly LogRecord[]) =>
      new Map(records.map((r) => [Buffer.from(r.value).toString().split(':')[1], r.traceparent]))
    const expected = new Map([
      ...[['a', undefined] as const, ['b', undefined] as const],
      ['traced', traceparent] as const,
    ])
    const sorted = (found: Map<string | undefined, string | undefined>) =>
      new Map([...found].sort(([a = ''], [b = '']) => a.localeCompare(b)))
    const raw = await readAll(log, topic)
    t.deepEqual(sorted(contextOf(raw)), expected)
    t.deepEqual(raw.map(({ key }) => key).sort(), ['clé', 'clé', 'k'])
    const processor = await log.process({
      ...{ group, topic, maxRecords: 10, now: Date.now, outputs: [topics.judged.name] },
      open: async () => ({
        handle: (records) => records.map((r) => ({ ...r, topic: topics.judged.name })),
      }),
    })
    const ours = async () =>
      (await readAll(log, topics.judged.name)).filter((r) =>
        Buffer.from(r.value).toString().startsWith(group),
      )
    const out = await until(async () => ((await ours()).length === 3 ? ours() : undefined), {
      what: 'the copies are there',
    })
    await processor.close()
    t.deepEqual(sorted(contextOf(out)), expected)
  })

  test(`${name}: a newer member takes over and the older one is fenced`, async (t) => {
    const { open, log, topic } = await setUp(t)
    const group = `group-${randomUUID()}`
    const copy = {
      outputs: [topics.judged.name],
      open: async () => ({
        handle: (records: readonly LogRecord[]) =>
          records.map((r) => ({ ...r, topic: topics.judged.name })),
      }),
    }
    const old = await log.process({ group, topic, maxRecords: 10, now: Date.now, ...copy })
    const other = await open()
    const young = await other.process({ group, topic, maxRecords: 10, now: Date.now, ...copy })
    const sent = Array.from({ length: 50 }, (_, i) => record(`key-${i}`, `${group}:${i}`))
    await log.append(topic, sent)
    await until(
      async () => (await log.committedOffsets(group, topic)).reduce((a, b) => a + b) === 50,
      { what: 'the group reaches the end' },
    )
    const out = texts(await readAll(log, topics.judged.name)).filter((text) =>
      text.startsWith(group),
    )
    t.is(out.length, 50)
    await Promise.all([old.close(), young.close()])
    await other.close()
  })
}
