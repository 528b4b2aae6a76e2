import test from 'ava'
import { openSqliteEventLog } from '#platform/event-log/sqlite.ts'
import { topics } from '#schemas/topics.ts'
import { scratchDir } from '../tests/support/contract.ts'
import { gappedLog } from '../tests/support/gapped-log.ts'
import { restoreState } from './restore.ts'

const count = 100

test('state comes from what lies before the committed offset, also where offsets have gaps', async (t) => {
  const log = await openSqliteEventLog({ dir: scratchDir(t) })
  t.teardown(() => log.close())
  await log.ensureTopics([topics.raw], 1)
  const records = Array.from({ length: count }, (_, i) => ({
    key: 'k',
    value: Buffer.from(`${i}`),
    timestamp: 1_000 * i,
  }))
  await log.append(topics.raw.name, records)
  const restored = async (committed: number, historyMs: number) => {
    const offsets: number[] = []
    const remember = (some: readonly { offset: number }[]) => {
      offsets.push(...some.map(({ offset }) => offset))
    }
    await restoreState(gappedLog(log), { remember }, 0, committed, historyMs)
    return offsets
  }
  t.deepEqual(await restored(0, 1e9), [])
  const before = (committed: number) =>
    Array.from({ length: Math.ceil(committed / 2) }, (_, i) => 2 * i)
  for (const committed of [1, 2, 3, 70, 71, 2 * count]) {
    t.deepEqual(await restored(committed, 1e9), before(committed), `committed ${committed}`)
  }
  // The newest record before offset 71 is that of offset 70, at 35 s.
  t.deepEqual(await restored(71, 5_000), [60, 62, 64, 66, 68, 70])
})
