import test from 'ava'
import {
  differencesSince,
  dueHours,
  type HourDifference,
  type ReconciledHour,
  reconciliationOf,
  recordReconciliation,
  recordWaiting,
} from '#platform/reconciliation.ts'
import { hourMs } from '#schemas/paths.ts'
import { boundary, openFixture } from './testing/fixture.ts'

const hour = boundary - 3 * hourMs
const example = { event_id: 'e', event_time: hour + 5, raw_partition: 1, raw_offset: 2 }
const difference: HourDifference = {
  ...{ advertiserId: 'adv-1', class: 'missing-in-speed', clicks: 3 },
  examples: [{ ...example, batch: 'valid', speed: '' }],
}
const result: ReconciledHour = {
  ...{ hour, runId: 'run-1', state: 'compared', detail: '', judgedVersion: 4 },
  ...{ compared: 100, reconciledAt: boundary, differences: [difference] },
}

/** One hour published by run-1, before that by run-0; the next by run-1. */
async function openPublished(t: Parameters<typeof openFixture>[0]) {
  const fixture = await openFixture(t)
  const { catalogue } = fixture
  for (const run of ['run-0', 'run-1']) {
    await catalogue.query(
      `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
       VALUES ($1, 'seal', 'done', 'test', 1, 0, '{}')`,
      [run],
    )
  }
  for (const at of [hour, hour + hourMs]) {
    await catalogue.query(
      `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
       VALUES ($1, 'run-1', 1, 1, $2)`,
      [at, boundary],
    )
  }
  return fixture
}

test('reconciliation of the numbers in force, with its totals; an old run no longer counts', async (t) => {
  const { inject, catalogue } = await openPublished(t)
  await recordReconciliation(catalogue, { ...result, runId: 'run-0', reconciledAt: 1 })
  for (const _ of [1, 2]) await recordReconciliation(catalogue, result)
  const url = '/v1/reconciliation?from=2026-11-22T00:00:00Z&to=2026-11-23'
  const answer = await inject({ url }, 'engineer')
  t.is(answer.statusCode, 200)
  t.deepEqual(answer.json().meta, {
    ...{ from: '2026-11-22T00:00:00.000Z', to: '2026-11-23T00:00:00.000Z', is_cut: false },
    ...{ hours_waiting: 0, hours_unseen: 1, totals: { 'missing-in-speed': 3 } },
  })
  t.is(answer.json().data.length, 1)
  t.like(answer.json().data[0], { run_id: 'run-1', state: 'compared', clicks: 100 })
  t.like(answer.json().data[0].differences[0], {
    ...{ advertiser_id: 'adv-1', class: 'missing-in-speed', clicks: 3 },
    examples: [{ event_id: 'e', event_time: '2026-11-22T02:00:00.005Z', raw_offset: 2 }],
  })
  for (const wrong of [
    '',
    '?from=2026-11-22',
    '?from=soon&to=later',
    '?from=2026-11-23&to=2026-11-22',
  ]) {
    t.is((await inject({ url: `/v1/reconciliation${wrong}` }, 'admin')).statusCode, 400, wrong)
  }
})

test('an hour that waits keeps what was found in it; more rows than wanted are cut and said so', async (t) => {
  const { catalogue } = await openPublished(t)
  await recordReconciliation(catalogue, result)
  await recordWaiting(catalogue, result, 'the archive is behind', boundary + 1)
  await recordWaiting(catalogue, { ...result, hour: hour + hourMs }, 'the same', boundary + 1)
  const range = { from: hour, to: boundary }
  const found = await reconciliationOf(catalogue, range)
  t.deepEqual(
    found.hours.map(({ state, detail, compared }) => [state, detail, compared]),
    [
      ['waiting', 'the archive is behind', 100],
      ['waiting', 'the same', 0],
    ],
  )
  t.is(found.differences.length, 1)
  t.is((await differencesSince(catalogue, boundary))['missing-in-speed'], 3)
  t.is((await differencesSince(catalogue, boundary + 2))['missing-in-speed'], 0)
  const cut = await reconciliationOf(catalogue, { ...range, rowsMax: 1 })
  t.true(cut.isCut)
  t.is(cut.hours.length, 1)
})

test('what is due: never looked at first, then what waited or got more; rest in between', async (t) => {
  const { catalogue } = await openPublished(t)
  const due = async (retryBefore: number) =>
    (await dueHours(catalogue, { boundary, retryBefore, limit: 10 })).map(
      (d) => `${(d.hour - hour) / hourMs} ${d.runId}`,
    )
  t.deepEqual(await due(0), ['0 run-1', '1 run-1'])
  await recordWaiting(catalogue, result, 'wait', boundary)
  t.deepEqual(await due(boundary), ['1 run-1'])
  t.deepEqual(await due(boundary + 1), ['1 run-1', '0 run-1'])
  await recordReconciliation(catalogue, result)
  t.deepEqual(await due(boundary + 1), ['1 run-1'])
  const judged = (at: number, version: number) =>
    catalogue.query('INSERT INTO judged_hours (hour, clicks, version) VALUES ($1, 1, $2)', [
      at,
      version,
    ])
  await judged(hour, 5) // after version 4, which was compared
  await judged(hour + 2 * hourMs, 5) // never built
  await judged(boundary, 5) // still the speed layer's
  t.deepEqual(await due(boundary + 1), ['1 run-1', '2 ', '0 run-1'])
  // Published before verdicts were archived: there is nothing to compare with.
  await catalogue.query('UPDATE judged_version SET held_since = $1', [boundary + 1])
  t.deepEqual(await due(boundary + 1), ['2 '])
})
