// What operators may do to runs, for each kind and each state a run can stand in.
import test from 'ava'
import { ClickledgerError } from '#schemas/errors.ts'
import { queuedKinds, type RunAction, runActions, runKinds, runStatuses } from '#schemas/runs.ts'
import { openTestCatalogue } from '../tests/support/catalogue.ts'
import { actOnRun } from './backfills.ts'

for (const action of Object.keys(runActions) as RunAction[]) {
  test(`${action}: what is not refused is gone on with, and nothing else changes`, async (t) => {
    const catalogue = await openTestCatalogue(t)
    let acts = 0
    for (const kind of runKinds) {
      for (const status of runStatuses) {
        const runId = `${kind} ${status}`
        await catalogue.query(
          `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
           VALUES ($1, $2, $3, 'test', 1, 1, '{"hours":[]}')`,
          [runId, kind, status],
        )
        const refusal = await actOnRun(catalogue, runId, action, 'somebody').then(
          () => undefined,
          (error: unknown) => error,
        )
        const [now] = await catalogue.query('SELECT status FROM runs WHERE run_id = $1', [runId])
        if (refusal === undefined) acts++
        else t.true(refusal instanceof ClickledgerError && refusal.code === 'run-state', runId)
        t.is(now?.status, refusal === undefined ? runActions[action].to : status, runId)
        const isTakenUp = queuedKinds.some((queued) => queued === kind)
        t.true(refusal !== undefined || now?.status !== 'planned' || isTakenUp, runId)
      }
    }
    t.true(acts > 0)
  })
}
