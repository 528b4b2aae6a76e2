import { appendFile, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { lockDirectory } from '#platform/directory-lock.ts'
import { until } from '#platform/wait.ts'
import { seed } from '../../tests/support/random-clicks.ts'
import { samePosition } from './control.ts'
import { segmentPath } from './files.ts'
import { readRecords, segmentMagic, writeRecord } from './segment.ts'
import {
  append,
  click,
  type Fault,
  faultyFiles,
  memoryLog,
  startSender,
  startWriter,
  temporaryDirectory,
} from './test-support.ts'

const shipped = (started: Awaited<ReturnType<typeof startWriter>>) =>
  until(() => samePosition(started.control.shipped, started.control.durable), {
    what: 'everything is shipped',
  })

test('records survive the round trip; the first bad byte ends what is read', (t) => {
  t.log(`seed ${seed}`)
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (count, where, flip) => {
        const buffer = Buffer.alloc(32 * 1024)
        const ends: number[] = []
        let end = 0
        for (let i = 0; i < count; i++) {
          end = writeRecord(buffer, end, `ad:${i}`, click(`id-${i}`, i))
          ends.push(end)
        }
        const all = readRecords(buffer.subarray(0, end), 1000)
        t.is(all.records.length, count)
        t.deepEqual(
          all.records.map((r) => r.key),
          ends.map((_, i) => `ad:${i}`),
        )
        const at = where % end
        buffer[at] = (buffer[at] as number) ^ flip
        const damaged = readRecords(buffer.subarray(0, end), 1000)
        t.is(damaged.records.length, ends.filter((e) => e <= at).length)
      },
    ),
    { seed, numRuns: 200 },
  )
})

test('a click is acknowledged when it is on disk, and shipped in order', async (t) => {
  const dir = await temporaryDirectory(t)
  const started = await startWriter(dir, { segmentBytes: 4096 })
  const log = memoryLog()
  const sender = startSender(dir, started, log)
  const ids = Array.from({ length: 500 }, (_, i) => `id-${i}`)
  const answers = await Promise.all(ids.map((id) => append(started.writer, id)))
  t.true(answers.every((a) => a === undefined))
  for (let i = 500; i < 520; i++) {
    ids.push(`id-${i}`)
    t.is(await append(started.writer, `id-${i}`), undefined)
  }
  await shipped(started)
  t.deepEqual(log.eventIds(), ids)
  t.is(started.writer.depthBytes, 0)
  t.is(started.writer.oldestUnshipped, undefined)
  await sender.stop()
  await started.writer.close()
  t.true((await readdir(dir)).filter((n) => n.endsWith('.wal')).length <= 1)
})

test('the log away: clicks are accepted, the oldest is known, nothing is lost across restarts', async (t) => {
  const dir = await temporaryDirectory(t)
  const log = memoryLog()
  log.isAway = true
  const first = await startWriter(dir, { segmentBytes: 2000 })
  const sender = startSender(dir, first, log)
  for (let i = 0; i < 50; i++) t.is(await append(first.writer, `a-${i}`, 1000 + i), undefined)
  t.is(first.writer.oldestUnshipped, 1000)
  t.true(first.writer.depthBytes > 3000)
  await sender.stop()
  await first.writer.close()

  const second = await startWriter(dir)
  t.is(second.segments.length > 1, true)
  const again = startSender(dir, second, log)
  await until(() => second.control.scanned, { what: 'scan' })
  t.is(second.control.backlogRecords, 50)
  t.is(second.writer.oldestUnshipped, 1000)
  t.is(await append(second.writer, 'b', 2000), undefined)
  t.is(second.writer.oldestUnshipped, 1000)
  log.isAway = false
  await shipped(second)
  t.deepEqual(log.eventIds(), [...Array.from({ length: 50 }, (_, i) => `a-${i}`), 'b'])
  t.is(second.writer.oldestUnshipped, undefined)
  await again.stop()
  await second.writer.close()

  const third = await startWriter(dir)
  const idle = startSender(dir, third, log)
  await shipped(third)
  await idle.stop()
  t.is(log.records.length, 51, 'nothing is shipped twice after a clean stop')
})

for (const fault of ['create', 'write', 'partial', 'sync'] as Fault[]) {
  for (const extra of [[], ['truncate']] as Fault[][]) {
    test(`a failing disk (${[fault, ...extra].join(', ')}): not accepted, nothing accepted is lost`, async (t) => {
      const dir = await temporaryDirectory(t)
      const files = faultyFiles()
      const started = await startWriter(dir, { files, segmentBytes: 3000 })
      const log = memoryLog()
      const sender = startSender(dir, started, log)
      const accepted: string[] = []
      const refused: string[] = []
      const send = async (id: string) => {
        const failure = await append(started.writer, id)
        if (failure === undefined) accepted.push(id)
        else refused.push(id)
      }
      for (let i = 0; i < 30; i++) await send(`before-${i}`)
      files.faults.add(fault)
      for (const e of extra) files.faults.add(e)
      // An open segment goes on until it is full: creating the next one is what fails.
      for (let i = 0; i < 30; i++) await send(`during-${i}`)
      t.true(refused.length > 0)
      if (fault !== 'create') t.is(refused.length, 30)
      t.true(started.writer.failing)
      files.faults.clear()
      await until(async () => (await append(started.writer, 'after')) === undefined, {
        what: 'clicks are accepted again',
      })
      accepted.push('after')
      await shipped(started)
      const ids = log.eventIds()
      const isUncertain = extra.length > 0 && fault !== 'create' // told "send it again", may be found
      t.deepEqual(isUncertain ? ids.filter((id) => !refused.includes(id)) : ids, accepted)
      await sender.stop()
      await started.writer.close()
    })
  }
}

test('a disk that works again is noticed without a click', async (t) => {
  const dir = await temporaryDirectory(t)
  const files = faultyFiles()
  const started = await startWriter(dir, { files })
  files.faults.add('sync')
  t.is(await append(started.writer, 'a'), 'wal-failed')
  t.true(started.writer.failing)
  files.faults.clear()
  await until(() => !started.writer.failing, { what: 'the log works again' })
  await started.writer.close()
})

test('a full log refuses, and accepts again when there is room', async (t) => {
  const dir = await temporaryDirectory(t)
  const log = memoryLog()
  log.isAway = true
  const started = await startWriter(dir, { segmentBytes: 1000, bytesMax: 4000 })
  const sender = startSender(dir, started, log)
  let accepted = 0
  while ((await append(started.writer, `a-${accepted}`)) === undefined) accepted++
  t.true(accepted > 10)
  t.is(await append(started.writer, 'x'), 'wal-full')
  log.isAway = false
  await shipped(started)
  t.is(await append(started.writer, 'y'), undefined)
  await shipped(started)
  t.is(log.records.length, accepted + 1)
  await sender.stop()
  await started.writer.close()
})

test('a torn tail is left out, what came before and after is not', async (t) => {
  const dir = await temporaryDirectory(t)
  const first = await startWriter(dir)
  for (let i = 0; i < 10; i++) await append(first.writer, `a-${i}`)
  await first.writer.close()
  const torn = segmentPath(dir, first.firstSegment)
  const record = (await readFile(torn)).subarray(segmentMagic.length)
  await appendFile(torn, record.subarray(0, 50))
  const second = await startWriter(dir)
  await append(second.writer, 'b')
  await second.writer.close()
  const zeros = segmentPath(dir, second.firstSegment)
  await truncate(zeros, (await readFile(zeros)).length + 4096)

  const log = memoryLog()
  const lost: number[] = []
  const third = await startWriter(dir)
  const sender = startSender(dir, third, log, (_, bytes) => lost.push(bytes))
  await shipped(third)
  t.deepEqual(log.eventIds(), [...Array.from({ length: 10 }, (_, i) => `a-${i}`), 'b'])
  t.deepEqual(lost, [50], 'zeros were written ahead: nothing is lost with them')
  await sender.stop()
})

test('damage in the middle is told, not taken for the end', async (t) => {
  const dir = await temporaryDirectory(t)
  const first = await startWriter(dir)
  for (let i = 0; i < 10; i++) await append(first.writer, `a-${i}`)
  await first.writer.close()
  const path = segmentPath(dir, first.firstSegment)
  const bytes = await readFile(path)
  const third = readRecords(bytes.subarray(segmentMagic.length), 2).bytes + segmentMagic.length
  bytes.fill(0, third, third + 100)
  await writeFile(path, bytes)
  const log = memoryLog()
  const lost: number[] = []
  const second = await startWriter(dir)
  const sender = startSender(dir, second, log, (_, count) => lost.push(count))
  await shipped(second)
  t.deepEqual(log.eventIds(), ['a-0', 'a-1'])
  t.deepEqual(lost, [bytes.length - third])
  await sender.stop()
})

test('a damaged or missing cursor makes copies, never gaps', async (t) => {
  const dir = await temporaryDirectory(t)
  const log = memoryLog()
  const first = await startWriter(dir)
  const sender = startSender(dir, first, log)
  for (let i = 0; i < 10; i++) await append(first.writer, `a-${i}`)
  await shipped(first)
  await append(first.writer, 'b')
  await sender.stop()
  await first.writer.close()
  await writeFile(join(dir, 'cursor'), Buffer.alloc(20, 7))
  const second = await startWriter(dir)
  const again = startSender(dir, second, log)
  await shipped(second)
  const ids = [...Array.from({ length: 10 }, (_, i) => `a-${i}`), 'b']
  t.deepEqual([...new Set(log.eventIds())], ids)
  await again.stop()
})

test('a directory has one writer', async (t) => {
  const dir = await temporaryDirectory(t)
  const unlock = lockDirectory(dir)
  t.throws(() => lockDirectory(dir), { code: 'already-running' })
  unlock()
  lockDirectory(dir)()
  t.pass()
})
