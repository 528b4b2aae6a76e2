import test from 'ava'
import type { Heartbeat } from '#platform/heartbeats.ts'
import { createWatermarkTracker, speedCandidate, type WatermarkInput } from './watermark.ts'

const ingest = (reportedAt: number, oldestUnshipped: number | null = null, node = 'i1') =>
  ({
    node,
    reportedAt,
    body: {
      url: '',
      accepted: 0,
      notAccepted: 0,
      walDepthClicks: 0,
      walDepthBytes: 0,
      oldestUnshipped,
    },
  }) satisfies Heartbeat<'ingest'>

const speed = (watermark: number, judgedEnds: number[], partitions = [0, 1], node = 's1') =>
  ({
    node,
    reportedAt: watermark,
    body: {
      watermark,
      judgedEnds,
      partitions: partitions.map((partition) => ({ partition, committed: 0, end: 0 })),
      counts: { judged: 0, valid: 0, duplicate: 0, invalid: 0, copies: 0, deadLettered: 0 },
      stateKeys: 0,
      stateFullRotations: 0,
    },
  }) satisfies Heartbeat<'speed'>

const tracker = (nodeSilenceMs = 3_600_000) => {
  const { update } = createWatermarkTracker({ nodeSilenceMs })
  return { update: (input: WatermarkInput) => update(input).watermark }
}

test('a speed watermark counts once the store has applied what was judged', (t) => {
  const { update } = tracker()
  const now = 10_000
  t.is(update({ now, ingest: [], speed: [speed(9_000, [5, 5])], applied: [5, 4] }), undefined)
  t.is(update({ now, ingest: [], speed: [speed(9_500, [7, 7])], applied: [5, 5] }), 9_000)
  t.is(update({ now, ingest: [], speed: [speed(9_500, [7, 7])], applied: [7, 7] }), 9_500)
})

test('a partition of clicks.raw that nobody holds yet holds it back', (t) => {
  const { update } = tracker()
  const input = { now: 10_000, ingest: [], applied: [0, 0] }
  const wider = (watermark: number, partitions: number[]) => {
    const heartbeat = speed(watermark, [0, 0], partitions)
    return { ...heartbeat, body: { ...heartbeat.body, rawPartitions: 3 } }
  }
  t.is(update({ ...input, speed: [speed(9_000, [0, 0])] }), 9_000)
  t.is(update({ ...input, speed: [wider(9_500, [0, 1])] }), 9_000, 'partition 2 is nobody’s')
  t.is(update({ ...input, speed: [wider(9_600, [0, 1, 2])] }), 9_600)
})

test('unshipped clicks hold it back', (t) => {
  const { update } = tracker()
  const input = { now: 10_000, speed: [speed(9_000, [0, 0])], applied: [0, 0] }
  t.is(update({ ...input, ingest: [ingest(8_900, 4_000)] }), 4_000)
})

test('an ingest report from after the speed watermark proves nothing', (t) => {
  const { update } = tracker()
  const applied = [0, 0]
  // Accepted at 8,500, not in the log at 9,000, shipped at 9,200: the report of 9,500 is clean.
  t.is(
    update({ now: 1e4, ingest: [ingest(9_500)], speed: [speed(9_000, [0, 0])], applied }),
    undefined,
  )
  t.is(update({ now: 1e4, ingest: [ingest(9_500)], speed: [speed(9_800, [0, 0])], applied }), 9_500)
})

test('of an earlier report counts what was on its way then, or else its time', (t) => {
  const { update } = tracker()
  const applied = [0, 0]
  update({ now: 9_001, ingest: [ingest(9_000)], speed: [], applied })
  t.is(update({ now: 1e4, ingest: [ingest(9_900)], speed: [speed(9_500, [0, 0])], applied }), 9_000)
})

test('a node silent for too long is not waited for', (t) => {
  const { update } = tracker(1_000)
  const applied = [0, 0]
  const reports = [ingest(1_000, 500, 'dead'), ingest(9_000, null, 'alive')]
  t.is(update({ now: 9_100, ingest: reports, speed: [speed(9_050, [0, 0])], applied }), 9_000)
})

test('it never moves back', (t) => {
  const { update } = tracker()
  const applied = [9, 9]
  t.is(update({ now: 1e4, ingest: [], speed: [speed(9_000, [5, 5])], applied }), 9_000)
  t.is(update({ now: 1e4, ingest: [], speed: [speed(8_000, [6, 6])], applied }), 9_000)
})

test('of several speed nodes, the slowest that still holds a partition counts', (t) => {
  const both = [speed(9_000, [1, 0], [0], 'a'), speed(7_000, [0, 2], [1], 'b')]
  t.like(speedCandidate(both), { watermark: 7_000, judgedEnds: [1, 2] })
  const takenOver = [speed(9_000, [1, 3], [0, 1], 'a'), speed(7_000, [0, 2], [1], 'b')]
  t.like(speedCandidate(takenOver), { watermark: 9_000 })
  t.is(speedCandidate([]), undefined)
})

test('while nobody holds a partition, nothing is proven', (t) => {
  t.like(speedCandidate([speed(9_000, [1, 2], [0], 'a')]), { watermark: 0 })
})

test('a store that shows less than before is degraded until it has caught up', (t) => {
  const { update } = createWatermarkTracker({ nodeSilenceMs: 1_000 })
  const input = { now: 1e4, ingest: [], speed: [speed(9_000, [5, 5])] }
  t.like(update({ ...input, applied: [5, 6] }), { watermark: 9_000, isDegraded: false })
  t.like(update({ ...input, applied: [5, 2] }), { isDegraded: true })
  t.like(update({ ...input, applied: [7, 5] }), { isDegraded: true })
  t.like(update({ ...input, applied: [7, 6] }), { isDegraded: false })
})
