// Sealing waits for what the proof needs, in the order that makes it a proof, and for nothing else.
import test, { type ExecutionContext } from 'ava'
import { readSettings } from '#platform/config.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { catalogueEnv } from '../../tests/support/catalogue.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { indexManifests } from '../archive/archive-index.ts'
import { requestedEnds } from '../archive/requests.ts'
import { createSealing } from './sealing.ts'

const hour = Date.UTC(2026, 6, 1, 9)
const lateness = 600_000
const silence = hourMs

async function setUp(t: ExecutionContext) {
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: scratchDir(t),
    CLICKLEDGER_PARTITIONS: '2',
    ...catalogueEnv(),
  })
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, Date.now)
  t.teardown(async () => {
    await log.close()
    await catalogue.close()
  })
  const time = { now: hour + hourMs }
  const sealing = createSealing({
    ...{ catalogue, log, now: () => time.now },
    ...{ latenessMs: lateness, nodeSilenceMs: silence },
  })
  const report = (node: string, oldestUnshipped: number | null) =>
    reportHeartbeat(catalogue, 'ingest', node, time.now, {
      ...{ url: '', accepted: 0, notAccepted: 0, walDepthClicks: 0, walDepthBytes: 0 },
      oldestUnshipped,
    })
  const append = (n: number) =>
    log.append(
      topics.raw.name,
      Array.from({ length: n }, (_, i) => ({
        key: `k${i}`,
        value: Buffer.from('x'),
        timestamp: time.now,
      })),
    )
  const archive = async () => {
    const ends = await log.endOffsets(topics.raw.name)
    for (const [partition, end] of ends.entries()) {
      if (end === 0) continue
      const manifest = { partition, first: 0, end, files: [], undecodable: 0, archivedAt: 0 }
      await indexManifests(catalogue, [manifest])
    }
  }
  return { settings, catalogue, log, sealing, time, report, append, archive }
}

test('nothing is sealed before the lateness has passed', async (t) => {
  const { sealing, time } = await setUp(t)
  time.now = hour + hourMs + lateness - 1
  t.is((await sealing.step(hour)).kind, 'nothing')
  time.now += 1
  t.is((await sealing.step(hour)).kind, 'proven', 'no node, an empty log: nothing to wait for')
})

test('the archive must cover the ends read then, not those of later', async (t) => {
  const { sealing, time, append, archive, catalogue, log } = await setUp(t)
  time.now = hour + hourMs + lateness
  await append(20)
  const first = await sealing.step(hour)
  t.is(first.kind, 'waiting')
  const asked = await log.endOffsets(topics.raw.name)
  t.deepEqual(await requestedEnds(catalogue, 2), asked, 'the archive is asked to hurry')
  await archive()
  await append(20) // accepted after the ends were read: late, if it belongs to the hour at all
  const then = await sealing.step(hour)
  t.is(then.kind, 'proven')
  if (then.kind !== 'proven') return
  t.is(then.proof.boundary, hour + hourMs)
  t.deepEqual(
    then.proof.partitions.map((p) => p.logEnd),
    asked,
  )
})

test('a partition that was added is waited for, by name', async (t) => {
  const { settings, sealing, time, append, archive } = await setUp(t)
  time.now = hour + hourMs + lateness
  const other = await openEventLog({ ...settings, CLICKLEDGER_PARTITIONS: 3 }, Date.now)
  t.teardown(() => other.close())
  await append(20)
  const waiting = await sealing.step(hour)
  t.regex(waiting.kind === 'waiting' ? waiting.obstacles.join() : '', /partition 2: archived to 0,/)
  await archive()
  t.is((await sealing.step(hour)).kind, 'proven')
})

test('a node with old unshipped clicks is waited for; a silent one is not, after a while', async (t) => {
  const { sealing, time, report, append, archive } = await setUp(t)
  time.now = hour + hourMs + lateness
  await report('slow', hour + 5)
  const waiting = await sealing.step(hour)
  t.is(waiting.kind, 'waiting')
  t.regex(waiting.kind === 'waiting' ? waiting.obstacles.join() : '', /slow.*unshipped/)
  // It ships what it has: from now on the ends that are read include it.
  await append(3)
  await report('slow', null)
  t.is((await sealing.step(hour)).kind, 'waiting')
  await archive()
  t.is((await sealing.step(hour)).kind, 'proven')

  time.now += hourMs // the node has gone: its last report is an hour old, just not too old
  t.is((await sealing.step(hour + hourMs)).kind, 'waiting')
  time.now += 1
  const without = await sealing.step(hour + hourMs)
  t.is(without.kind, 'proven')
  t.deepEqual(without.kind === 'proven' ? without.proof.silentNodes : [], ['slow'])
})
