// What a process leaves behind when it dies, for each kind of run and each state it can stand in.
import test from 'ava'
import { queuedKinds, type RunStatus, runKinds, runStatuses } from '#schemas/runs.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { heldHours } from './held-hours.ts'
import { beginRun, endAbandonedRuns, readRun, runsIn } from './runs.ts'

const idOf = (kind: string, status: string) => `${kind} ${status}`
const all = runKinds.flatMap((kind) => runStatuses.map((status) => ({ kind, status })))
const isQueued = (kind: string) => queuedKinds.some((queued) => queued === kind)

test('after a start no run holds hours that nobody will go on with', async (t) => {
  const catalogue = await openTestCatalogue(t)
  for (const [hour, { kind, status }] of all.entries()) {
    const plan = { hours: [{ hour, ruleSet: 1 }] }
    const run = { runId: idOf(kind, status), kind, status, reason: '', plan }
    await beginRun(catalogue, { ...run, ruleSet: 1, startedAt: hour })
  }
  await endAbandonedRuns(catalogue, 7)

  const goOn = [
    ...(await runsIn(catalogue, ['planned'], { queued: true })),
    ...(await runsIn(catalogue, ['awaiting-approval', 'approved'])),
  ]
  const known = new Set(goOn.map(({ runId }) => runId))
  const forgotten = [...(await heldHours(catalogue)).values()].filter((id) => !known.has(id))
  t.deepEqual(forgotten, [])

  for (const { kind, status } of all) {
    const broken: readonly RunStatus[] = isQueued(kind)
      ? ['running', 'publishing']
      : ['planned', 'running', 'publishing']
    const ended = isQueued(kind) ? 'interrupted' : 'failed'
    const expected = broken.includes(status) ? ended : status
    t.is((await readRun(catalogue, idOf(kind, status)))?.status, expected, idOf(kind, status))
  }
})
