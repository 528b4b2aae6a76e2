// Reconciliation by injury: what is taken from the verdicts of the speed layer, added to them or
// changed in them is found and named; and what is sound has a name that alarms nobody.
import test from 'ava'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { until } from '#platform/wait.ts'
import type { RawClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { alarmingClasses } from '#schemas/reconciliation.ts'
import { topics } from '#schemas/topics.ts'
import { reconcileHours } from '../batch-layer/reconcile/reconcile.ts'
import { seededRandom } from './support/click-load.ts'
import { speedDifferences } from './support/compare.ts'
import { readRawClicks } from './support/conservation.ts'
import { type Layers, startLayers } from './support/layers.ts'
import { clickWith, seed } from './support/random-clicks.ts'
import {
  alone,
  type Found,
  readFound,
  reconcileAgain,
  reconcileAll,
  reconcileParts,
  rewriteJudged,
  sealedLayers,
  start,
} from './support/reconciliation.ts'
import { embedded } from './support/stacks.ts'

/**
 * Two hours of clicks as the world sends them: repeats over minutes and hours, some on other networks,
 * some received late, some shipped late, some sent twice at once or much later.
 */
function busyHours(count: number, salt: number): RawClick[] {
  const random = seededRandom(seed + salt)
  const below = (n: number) => Math.floor(random() * n)
  const clicks = Array.from({ length: count }, (_, i) => {
    const event_time = start + Math.floor(((2 * hourMs) / count) * i) + below(500)
    const late = random() < 0.1 ? below(random() < 0.5 ? 30_000 : hourMs) : 0
    return clickWith({
      ...{ event_id: `${salt}-${i}`, advertiser_id: `adv-${below(2)}`, event_time },
      ...{ received_time: event_time + late, ad_id: `ad-${below(3)}`, ip_hash: `ip-${below(40)}` },
      visitor: random() < 0.2 ? '' : `v-${below(60)}`,
      impression_id: random() < 0.5 ? '' : `imp-${below(count)}`,
      marks: random() < 0.05 ? 'prefetch' : '',
    })
  })
  const again = clicks
    .filter(() => random() < 0.05)
    .map((click) => ({
      ...click,
      received_time: click.received_time + below(random() < 0.5 ? 1_000 : hourMs),
      // Another network: another partition. Another time: a client that stamps each try anew.
      ...(random() < 0.3 ? { ip_hash: `ip-${below(40)}` } : {}),
      // Not into an hour of nothing but copies: batch empties it, which only an operator may publish.
      ...(random() < 0.3
        ? { event_time: Math.min(click.event_time + below(20 * 60_000), start + 2 * hourMs - 1) }
        : {}),
    }))
  // A node that ships late brings old clicks after newer ones of others.
  const shipped = [...clicks, ...again].map((click) => ({
    click,
    at: click.received_time + (random() < 0.03 ? below(hourMs / 2) : 0),
  }))
  return shipped.sort((a, b) => a.at - b.at).map(({ click }) => click)
}

const alarms = ({ classes }: Found) =>
  alarmingClasses.reduce((sum, name) => sum + (classes[name] ?? 0), 0)

/** Clicks on which the two differ, by the naive definition of batch. */
async function naiveDifferences(layers: Layers): Promise<number> {
  const raw = await readRawClicks(layers.log)
  const at = (click: { raw_partition: number; raw_offset: number }) =>
    `${click.raw_partition} ${click.raw_offset}`
  const judged = new Map((await layers.readJudged()).map((click) => [at(click), click]))
  const naive = judgeNaively(defaultRuleSet, raw)
  return raw.filter((click, i) => {
    const [said, right] = [judged.get(at(click)), naive[i]]
    return said?.status !== right?.status || said?.rule !== right?.rule
  }).length
}

test('a sound installation: every difference is found, and none of them alarms', async (t) => {
  const layers = await sealedLayers(t, busyHours(6_000, 1))
  const found = await reconcileAgain(layers)
  t.log(found.classes)
  t.deepEqual(
    found.reconciliation.hours.map(({ state }) => state).filter((state) => state !== 'compared'),
    [],
  )
  t.is(found.reconciliation.unseen, 0)
  const total = Object.values(found.classes).reduce((sum, n) => sum + n, 0)
  t.is(total, await naiveDifferences(layers))
  t.true(total > 100, 'there is something to explain')
  const { CLICKLEDGER_SPEED_WINDOW: historyMs } = layers.settings
  const [raw, judged] = [await readRawClicks(layers.log), await layers.readJudged()]
  t.deepEqual(await speedDifferences(t, raw, judged, historyMs), found.classes, 'of all at once')
  for (const name of alarmingClasses)
    t.is(found.classes[name] ?? 0, 0, JSON.stringify(found.examples(name)))
  t.deepEqual(
    (await reconcileAll(layers)).reconciliation.differences,
    found.reconciliation.differences,
  )
})

const lonely = Array.from({ length: 20 }, (_, i) => alone(`alone-${i}`, start + i * 60_000))

/** Appends to clicks.judged past the speed layer. */
const forge = ({ log }: Layers, clicks: readonly object[]) =>
  log.append(
    topics.judged.name,
    clicks.map((click) => ({
      key: 'ad:1',
      value: Buffer.from(JSON.stringify(click)),
      timestamp: start,
    })),
  )

const idsOf = (found: Found, name: (typeof alarmingClasses)[number]) =>
  found.examples(name).map(({ event_id }) => event_id)

test('verdicts deleted: missing in speed, also where a copy could hide it', async (t) => {
  // Speed keeps what it reads first; batch keeps the copy with the earlier time.
  const twins = [alone('twin', start + 90_000), alone('twin', start + 30_000)]
  const layers = await sealedLayers(t, [...lonely, ...twins])
  const sound = await reconcileAgain(layers)
  t.deepEqual(sound.classes, { late: 2 })
  await rewriteJudged(layers, start, (file) => `SELECT * FROM ${file} WHERE event_id <> 'alone-3'`)
  const found = await reconcileAll(layers)
  t.deepEqual(found.classes, { late: 2, 'missing-in-speed': 1 })
  t.like(found.examples('missing-in-speed')[0], { event_id: 'alone-3', batch: 'valid', speed: '' })
  await rewriteJudged(layers, start, (file) => `SELECT * FROM ${file} WHERE event_id <> 'twin'`)
  const both = await reconcileAll(layers)
  t.deepEqual(both.classes, { 'missing-in-speed': 2 })
  t.deepEqual(idsOf(both, 'missing-in-speed').toSorted(), ['alone-3', 'twin'])
  // What was judged before there was an archive of verdicts cannot be told, and alarms nobody.
  await layers.catalogue.query('UPDATE judged_version SET held_since = $1', [start + hourMs])
  await layers.catalogue.query('UPDATE published_hours SET published_at = $1', [start + 9 * hourMs])
  const late = await reconcileAll(layers)
  t.deepEqual(late.classes, {})
  t.regex(late.reconciliation.hours[0]?.detail ?? '', /2 clicks were judged before the archive/)
})

test('verdicts added: missing in the archive, or said twice; also in an hour that batch never built', async (t) => {
  const layers = await sealedLayers(t, lonely)
  t.deepEqual((await reconcileAgain(layers)).classes, {})
  const [real] = (await layers.readJudged()).filter(({ event_id }) => event_id === 'alone-5')
  if (!real) return t.fail('alone-5 is not judged')
  const ghost = { ...real, event_id: 'ghost', raw_offset: 0 }
  const elsewhere = { ...ghost, event_id: 'elsewhere', event_time: start + 3 * hourMs }
  await forge(layers, [real, ghost, { ...ghost, event_id: 'far', raw_offset: 1e6 }, elsewhere])
  // Nobody asks for these hours: that more was judged in them is what makes them due.
  const found = await until(
    async () => {
      const now = await reconcileAgain(layers)
      return alarms(now) === 4 ? now : undefined
    },
    { what: 'the four forged clicks are found' },
  )
  t.deepEqual(found.classes, { 'missing-in-archive': 3, unexplained: 1 })
  t.deepEqual(idsOf(found, 'missing-in-archive').toSorted(), ['elsewhere', 'far', 'ghost'])
  t.like(found.examples('unexplained')[0], { event_id: 'alone-5', speed: 'valid x 2' })
  const empty = found.reconciliation.hours.find(({ hour }) => hour === start + 3 * hourMs)
  t.like(empty, { runId: '', state: 'compared', compared: 0 })
})

test('verdicts changed: unexplained; judged under other rules: named so', async (t) => {
  const repeated = { ...alone('again', start + 61_000), ad_id: 'alone-1', visitor: 'alone-1' }
  const layers = await sealedLayers(t, lonely.toSpliced(2, 0, repeated))
  t.deepEqual((await reconcileAgain(layers)).classes, {})
  await rewriteJudged(
    layers,
    start,
    (file) => `SELECT * REPLACE (
      CASE event_id WHEN 'alone-9' THEN 'invalid' ELSE status END AS status,
      CASE event_id WHEN 'alone-9' THEN 'ip-velocity' ELSE rule END AS rule,
      CASE event_id WHEN 'alone-11' THEN event_time + 60000 ELSE event_time END AS event_time) FROM ${file}`,
  )
  const changed = await reconcileAll(layers)
  t.deepEqual(changed.classes, { unexplained: 2 })
  t.deepEqual(idsOf(changed, 'unexplained').toSorted(), ['alone-11', 'alone-9'])
  t.like(
    changed.examples('unexplained').find(({ event_id }) => event_id === 'alone-9'),
    {
      ...{ batch: 'valid', speed: 'invalid: ip-velocity' },
    },
  )

  // The rules of today catch nothing: the hour is built again under them, speed judged under the old.
  await layers.catalogue.query(
    'INSERT INTO rule_sets (version, body, created_at, created_by) VALUES (2, $1, 0, $2)',
    [JSON.stringify({ version: 2, rules: [] }), 'test'],
  )
  const order = { from: start, to: start + hourMs, reason: 'test', ruleSet: 2 }
  const runId = await layers.rebuild.startRebuild(order)
  const shifted = await until(
    async () => {
      const found = await reconcileAgain(layers)
      return found.reconciliation.hours[0]?.runId === runId ? found : undefined
    },
    { what: 'the hour is rebuilt and compared' },
  )
  t.deepEqual(shifted.classes, { 'rule-set': 2, unexplained: 1 })
  t.deepEqual(
    shifted.examples('rule-set').map(({ event_id, speed }) => [event_id, speed]),
    [
      ['again', 'duplicate: double-click'],
      ['alone-9', 'invalid: ip-velocity'],
    ],
  )
  // A speed layer that claims the new rules and judges by the old ones is not excused by them.
  await rewriteJudged(layers, start, (file) => `SELECT * REPLACE (2 AS rule_set) FROM ${file}`)
  t.deepEqual((await reconcileAll(layers)).classes, { unexplained: 3 })
})

test('what is not judged or not archived yet is waited for, and never called missing', async (t) => {
  const layers = await sealedLayers(t, lonely)
  const parts = { ...reconcileParts(layers), waitMs: 0 }
  const { log } = layers
  const rows = await layers.catalogue.query<{ hour: number; run_id: string }>(
    'SELECT hour, run_id FROM published_hours',
  )
  const [order] = rows.map((row) => ({ runId: row.run_id, hours: [Number(row.hour)] }))
  if (!order) return t.fail('nothing is published')
  const waits = async (some: Partial<typeof log>, detail: RegExp) => {
    t.like(await reconcileHours({ ...parts, log: { ...log, ...some } }, order), { waiting: 1 })
    const { reconciliation } = await readFound(layers)
    t.like(reconciliation.hours[0], { state: 'waiting' })
    t.regex(reconciliation.hours[0]?.detail ?? '', detail)
    t.deepEqual(reconciliation.differences, [])
  }
  await waits(
    { committedOffsets: async (...args) => (await log.committedOffsets(...args)).map(() => 0) },
    /the speed layer, .*, is at offset 0 of/,
  )
  const further = (topic: string) => (topic === topics.judged.name ? 1 : 0)
  await waits(
    {
      endOffsets: async (topic) => (await log.endOffsets(topic)).map((end) => end + further(topic)),
    },
    /the archive of clicks.judged is at offset/,
  )
  await layers.catalogue.query('DELETE FROM judged_requests') // offsets that will never be
  const compared = await reconcileAgain(layers)
  t.like(compared.reconciliation.hours[0], { state: 'compared', compared: 20 })
  t.deepEqual(compared.classes, {})

  // Judged, and its verdict archived, while the raw click is in no file: the hour will be built again.
  await layers.append([alone('late', start + 5_000)])
  await layers.judged()
  const pending = await reconcileAll(layers)
  t.deepEqual(pending.classes, {})
  t.like(pending.reconciliation.hours[0], { state: 'waiting' })
  t.regex(pending.reconciliation.hours[0]?.detail ?? '', /1 judged clicks are newer/)
  const runId = await layers.rebuild.startRebuild({ reason: 'test' })
  const done = await until(
    async () => {
      const found = await reconcileAgain(layers)
      return found.reconciliation.hours[0]?.runId === runId ? found : undefined
    },
    { what: 'the hour is rebuilt and compared' },
  )
  t.like(done.reconciliation.hours[0], { state: 'compared', compared: 21 })
  t.deepEqual(done.classes, {})
})

test('the scheduler compares on its own, and the metric that alarms shows what is missing', async (t) => {
  const env = { CLICKLEDGER_RECONCILE_INTERVAL: 'PT0.1S', ...embedded.env(t) }
  const layers = await startLayers(env, start + 5 * 60_000)
  t.teardown(() => layers.close())
  await layers.append(lonely)
  await layers.judged()
  await forge(layers, [{ ...lonely[0], event_id: 'ghost', status: 'valid', raw_offset: 0 }])
  layers.clock.advance(6 * hourMs)
  const metric = /clickledger_reconciliation_differences\{class="missing-in-archive".*\} 1$/m
  await until(async () => metric.test(await layers.rebuild.metrics()), {
    what: 'the metric shows the forged click',
  })
  t.deepEqual((await readFound(layers)).classes, { 'missing-in-archive': 1 })
})
