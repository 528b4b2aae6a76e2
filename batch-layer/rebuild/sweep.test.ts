import test from 'ava'
import { openDirectoryStore } from '#platform/object-store/directory.ts'
import { stagedPath, verdictsName } from '#schemas/paths.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import { beginRun, type RunHour, recordPublished, recordStaged } from './runs.ts'
import { sweepStaged } from './sweep.ts'

const hour = Date.UTC(2026, 0, 1)

test('output of the last runs of an hour stays, also where a rollback names an older one', async (t) => {
  const catalogue = await openTestCatalogue(t)
  const objects = await openDirectoryStore({ dir: scratchDir(t) })
  const fileOf = (runId: string) => stagedPath(runId, hour, 'aggregates-0.parquet')
  const publish = async (runId: string, at: number, file: string) => {
    const counts = { valid: 0, duplicate: 0, invalid: 0, copies: 0 }
    const staged: RunHour = { runId, hour, ruleSet: 1, archiveVersion: 1, files: [file], ...counts }
    const run = { runId, kind: 'rebuild', status: 'done', reason: '', plan: { hours: [] } } as const
    await beginRun(catalogue, { ...run, ruleSet: 1, startedAt: at })
    await recordStaged(catalogue, runId, 1, [staged])
    await catalogue.transaction((tx) => recordPublished(tx, [staged], new Map(), at))
  }
  for (const [i, runId] of ['a', 'b', 'c', 'd'].entries()) {
    for (const key of [fileOf(runId), stagedPath(runId, hour, verdictsName)]) {
      await objects.put(key, Buffer.from('x'))
    }
    await publish(runId, i, fileOf(runId))
  }
  await publish('back-to-b', 9, fileOf('b'))
  const sweep = { catalogue, objects, now: () => 10, kept: 2 }
  await sweepStaged(sweep, [hour])
  await sweepStaged(sweep, [hour]) // again: nothing more
  const left = (await Array.fromAsync(objects.list('runs/'))).map(({ key }) => key.split('/')[1])
  t.deepEqual([...new Set(left)], ['b', 'd'])
  t.is(left.length, 4, 'verdicts stay with the aggregates')
})
