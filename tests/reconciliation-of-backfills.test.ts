// Reconciliation of numbers that were made in layers: one advertiser judged again under other rules, and
// what was taken back. Each click is compared with what batch says of it now, and why.
import test from 'ava'
import { until } from '#platform/wait.ts'
import { hourMs } from '#schemas/paths.ts'
import { type NewRunRequest, requestRun } from '../serving/backfills.ts'
import type { Layers } from './support/layers.ts'
import {
  alone,
  type Found,
  reconcileAgain,
  reconcileAll,
  rewriteJudged,
  sealedLayers,
  start,
} from './support/reconciliation.ts'

/** Two clicks of one visitor within a second, of each of two advertisers. */
const clicks = ['adv-0', 'adv-1'].flatMap((advertiser_id) =>
  [0, 1_000].map((after) => ({
    ...alone(advertiser_id, start + 60_000 + after),
    ...{ advertiser_id, event_id: `${advertiser_id}-${after}` },
  })),
)

/** Runs what an operator asks for, and compares its hours. */
async function runAndCompare(
  layers: Layers,
  kind: NewRunRequest['kind'],
  plan: NewRunRequest['plan'],
): Promise<{ runId: string; found: Found }> {
  const { catalogue, clock } = layers
  const request = { kind, plan, reason: 'test', createdBy: 'test' }
  const runId = await requestRun(catalogue, clock.now(), request)
  const found = await until(
    async () => {
      const now = await reconcileAgain(layers)
      return now.reconciliation.hours[0]?.runId === runId ? now : undefined
    },
    { what: `the ${kind} is published and compared` },
  )
  return { runId, found }
}

test('one advertiser under other rules, and taken back: only what differs is named', async (t) => {
  const layers = await sealedLayers(t, clicks)
  t.deepEqual((await reconcileAgain(layers)).classes, {})
  await layers.catalogue.query(
    'INSERT INTO rule_sets (version, body, created_at, created_by) VALUES (2, $1, 0, $2)',
    [JSON.stringify({ version: 2, rules: [] }), 'test'],
  )
  const range = { from: start, to: start + hourMs }
  const plan = { ...range, ruleSet: 2, advertiserId: 'adv-1' }
  const { runId, found } = await runAndCompare(layers, 'backfill', plan)
  t.deepEqual(found.classes, { 'rule-set': 1 })
  t.like(found.examples('rule-set')[0], {
    ...{ event_id: 'adv-1-1000', batch: 'valid', speed: 'duplicate: double-click' },
  })

  // A speed layer that claims the new rules, and judges by the old ones, is not excused by them.
  await rewriteJudged(layers, start, (file) => `SELECT * REPLACE (2 AS rule_set) FROM ${file}`)
  t.deepEqual((await reconcileAll(layers)).classes, { unexplained: 1 })

  const back = await runAndCompare(layers, 'rollback', { rollsBack: runId })
  t.deepEqual(back.found.classes, {}, 'the verdicts of the first run are compared again')
  t.like(back.found.reconciliation.hours[0], { state: 'compared', compared: 4 })
})
