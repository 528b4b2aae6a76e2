import test from 'ava'
import fc from 'fast-check'
import { hourMs, hourOf } from '#schemas/paths.ts'
import { seed } from '../tests/support/random-clicks.ts'
import {
  firstBoundary,
  hoursBetween,
  provenanceOf,
  type SealingProof,
  sealableUntil,
  sealingObstacles,
  splitAtBoundary,
} from './boundary.ts'
import { imbalance } from './conservation.ts'
import { parseDuration } from './duration.ts'
import { admitEventTime } from './event-time.ts'

const time = fc.integer({ min: 0, max: 1_000 })

test('the split has no gap and no overlap, for any instant', (t) => {
  fc.assert(
    fc.property(time, time, time, time, (a, b, boundary, instant) => {
      const interval = { start: Math.min(a, b), end: Math.max(a, b) }
      const { batch, speed } = splitAtBoundary(interval, boundary)
      const within = (i?: { start: number; end: number }) =>
        i !== undefined && instant >= i.start && instant < i.end
      t.is(within(batch), within(interval) && instant < boundary)
      t.is(within(speed), within(interval) && instant >= boundary)
    }),
    { seed },
  )
})

test('a bucket is final below the boundary, then provisional, then open', (t) => {
  t.is(provenanceOf(100, 100, 50), 'final')
  t.is(provenanceOf(101, 100, 101), 'provisional')
  t.is(provenanceOf(102, 100, 101), 'open')
})

test('an hour can be sealed when the lateness after its end has passed', (t) => {
  const end = 10 * hourMs
  t.is(sealableUntil(end + 599_999, 600_000), end - hourMs)
  t.is(sealableUntil(end + 600_000, 600_000), end)
  t.is(firstBoundary(end + 5), end)
  t.deepEqual(hoursBetween(0, 3 * hourMs), [0, hourMs, 2 * hourMs])
  t.is(hourOf(-1), -hourMs)
})

const proof: SealingProof = {
  boundary: hourMs,
  readAt: hourMs + 600_000,
  latenessMs: 600_000,
  partitions: [{ partition: 0, logEnd: 5, archivedEnd: 5 }],
  nodes: [{ node: 'n', reportedAt: hourMs + 600_000, oldestUnshipped: undefined }],
  silentNodes: [],
}

test('each part of the proof is needed', (t) => {
  t.deepEqual(sealingObstacles(proof), [])
  const with_ = (change: Partial<SealingProof>) => sealingObstacles({ ...proof, ...change }).join()
  t.regex(with_({ readAt: hourMs + 599_999 }), /lateness/)
  t.regex(with_({ partitions: [{ partition: 0, logEnd: 6, archivedEnd: 5 }] }), /partition 0/)
  const node = { node: 'n', reportedAt: hourMs + 600_000, oldestUnshipped: hourMs - 1 }
  t.regex(with_({ nodes: [node] }), /unshipped/)
  t.regex(with_({ nodes: [{ ...node, reportedAt: hourMs }] }), /no report/)
  t.is(with_({ nodes: [{ ...node, oldestUnshipped: hourMs + 600_000 }] }), '')
})

test('event times are admitted within [-7 days, +5 minutes]', (t) => {
  const now = Date.UTC(2026, 0, 8)
  const kind = (at: number) => {
    const admission = admitEventTime(at, now)
    return admission.kind === 'reject' ? admission.reason : admission.kind
  }
  t.is(kind(now - 7 * 86_400_000), 'admitted')
  t.is(kind(now - 7 * 86_400_000 - 1), 'event-too-old')
  t.is(kind(now + 300_000), 'admitted')
  t.is(kind(now + 300_001), 'event-in-future')
})

test('the conservation law: positive is lost, negative is counted twice', (t) => {
  const ledger = { accepted: 10, valid: 5, duplicate: 2, invalid: 1, deadLettered: 1, inFlight: 1 }
  t.is(imbalance(ledger), 0)
  t.is(imbalance({ ...ledger, valid: 4 }), 1)
  t.is(imbalance({ ...ledger, valid: 6 }), -1)
})

test('durations of fixed length', (t) => {
  t.is(parseDuration('PT10M'), 600_000)
  t.is(parseDuration('P1DT2H'), 93_600_000)
  t.is(parseDuration('P1W'), 604_800_000)
  t.is(parseDuration('PT0.5S'), 500)
  for (const text of ['', 'P', 'PT', 'P1M', '10m', 'PT1H2', 'P1DT'])
    t.is(parseDuration(text), undefined, text)
})
