import test from 'ava'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { appliedOf, segmentKey, stillShown, type TaskState, wasRead } from './druid-proofs.ts'
import { intervalOf } from './druid-specs.ts'

const task = (start: number, visible?: number, done = false): TaskState => ({
  start: { 0: start },
  visible: visible === undefined ? undefined : { 0: visible },
  done,
})

test('applied follows the chain of tasks as far as queries see it', (t) => {
  t.is(appliedOf(0, [task(10, 25)]), 25)
  t.is(appliedOf(1, [task(10, 25)]), undefined, 'another partition')
  t.is(appliedOf(0, [task(30, 40), task(10, 30)]), 40, 'one publishes, the next reads')
  t.is(appliedOf(0, [task(10, 28), task(30, 40)]), 28, 'the first has not read up to the next')
  t.is(appliedOf(0, [task(10)]), 10, 'a dead task: only what was published before')
  t.is(appliedOf(0, [task(10), task(30, 40)]), 10, 'dead before it published')
  t.is(appliedOf(0, [task(10, undefined, true), task(30, 40)]), 40, 'ended well: published')
  t.is(appliedOf(0, [task(10, 25), task(10, 20)]), 20, 'the slower of two replicas')
  t.is(appliedOf(0, [task(10, 25), task(10)]), 25, 'one of two replicas died')
  t.is(appliedOf(0, []), undefined)
})

test('a broker that misses a new hour still shows the rest; not so after a task began again', (t) => {
  const before = { offsets: { 0: 40, 1: 7 }, segments: new Set(['10h']) }
  const later = { offsets: { 0: 44, 1: 7 }, segments: new Set(['10h', '11h']) }
  t.true(stillShown(before, later, ['11h']))
  t.false(stillShown(before, later, ['10h', '11h']), 'nor does it know the old one')
  // Restored under its own id, its first row in an hour that it had not held before.
  const again = { offsets: { 0: 1, 1: 0 }, segments: new Set(['9h']) }
  t.false(stillShown(before, again, ['9h']))
  const caughtUp = { offsets: { 0: 44, 1: 7 }, segments: new Set(['9h']) }
  t.false(stillShown(before, caughtUp, ['9h']))
})

test('an answer has what was held only where it names every segment that its query touches', (t) => {
  const key = (hour: number, partition = 0) =>
    segmentKey(
      { interval: intervalOf(hour * hourMs, (hour + 1) * hourMs), version: 'v' },
      partition,
    )
  const held = [
    { offsets: {}, segments: new Set([key(1), key(2)]) },
    { offsets: {}, segments: new Set([key(2, 1)]) },
  ]
  const day = { start: 0, end: dayMs }
  t.true(wasRead(held, day, new Set([key(1), key(2), key(2, 1), key(3)])))
  t.false(wasRead(held, day, new Set([key(1), key(2)])), 'what the second task held')
  t.false(wasRead(held, day, new Set()))
  t.true(wasRead(held, { start: hourMs, end: 2 * hourMs }, new Set([key(1)])), 'of its hour')
  t.false(wasRead(held, { start: 2 * hourMs - 1, end: 2 * hourMs }, new Set([key(2)])))
})
