// Reconciliation by injury: what is taken from the verdicts of the speed layer, added to them or
// changed in them is found and named; and what is sound has a name that alarms nobody.
import test, { type ExecutionContext } from 'ava'
import { judgeNaively } from '#core/rules/naive.ts'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import { until } from '#platform/wait.ts'
import type { JudgedClick, RawClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { alarmingClasses } from '#schemas/reconciliation.ts'
import { topics } from '#schemas/topics.ts'
import { reconcileHours } from '../batch-layer/reconcile/reconcile.ts'
import { seededRandom } from './support/click-load.ts'
import { readRawClicks } from './support/conservation.ts'
import { type Layers, startLayers } from './support/layers.ts'
import { clickWith, seed } from './support/random-clicks.ts'
import {
  type Found,
  readFound,
  reconcileAgain,
  reconcileAll,
  reconcileParts,
  rewriteJudged,
} from './support/reconciliation.ts'
import { embedded } from './support/stacks.ts'

const start = Date.UTC(2026, 2, 1, 10)

/**
 * Two hours of clicks as the world sends them: repeats over minutes and hours, some on other networks,
 * some late, some received late, some sent twice at once or much later.
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
      ...(random() < 0.3 ? { event_time: click.event_time + below(20 * 60_000) } : {}),
    }))
  return [...clicks, ...again].sort((a, b) => a.received_time - b.received_time)
}

async function sealedLayers(t: ExecutionContext, clicks: readonly RawClick[]): Promise<Layers> {
  t.log(`seed ${seed}`)
  const layers = await startLayers(embedded.env(t), start + 5 * 60_000)
  t.teardown(() => layers.close())
  await layers.append(clicks)
  await layers.judged()
  layers.clock.advance(6 * hourMs)
  await layers.sealed(start + 5 * hourMs)
  return layers
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

/** A judged click as the speed layer would put it. */
const alone = (id: string, at: number): RawClick =>
  clickWith({
    ...{ event_id: id, advertiser_id: 'adv-0', ad_id: id, visitor: id, ip_hash: id },
    ...{ event_time: at, received_time: at },
  })

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
  for (const name of alarmingClasses)
    t.is(found.classes[name] ?? 0, 0, JSON.stringify(found.examples(name)))
  t.deepEqual(
    (await reconcileAll(layers)).reconciliation.differences,
    found.reconciliation.differences,
  )
})
