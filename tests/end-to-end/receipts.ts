// Receipts against the naive definition: of any click, at any stage, both layers' words are those of the
// log and of the rule set, and the clicks it repeats are the ones that a look back finds.
import type { TestFn } from 'ava'
import fc from 'fast-check'
import { compareClicks, judgeNaively, keyOf } from '#core/rules/naive.ts'
import { defaultRuleSet, isMarkRule, isRepeat } from '#core/rules/rule-set.ts'
import { findReceipt, type Receipt } from '#platform/receipts/receipts.ts'
import { until } from '#platform/wait.ts'
import type { ArchivedClick } from '#schemas/fields.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { readRawClicks } from '../support/conservation.ts'
import { startLayers } from '../support/layers.ts'
import { clicksIn, seed } from '../support/random-clicks.ts'
import type { TestStack } from '../support/stacks.ts'

const start = Date.UTC(2026, 2, 1, 10)

const markRules = defaultRuleSet.rules.filter(isMarkRule)
const isMarked = ({ marks }: ArchivedClick) =>
  markRules.some(({ mark }) => marks.split(',').includes(mark))

/** Ids of the clicks that a repeat rule looked back at, the nearest first. */
function repeatedNaively(all: readonly ArchivedClick[], click: ArchivedClick, ruleId: string) {
  const rule = defaultRuleSet.rules.filter(isRepeat).find(({ id }) => id === ruleId)
  if (!rule) return undefined
  return all
    .filter(
      (other) =>
        !isMarked(other) &&
        keyOf(rule, other) === keyOf(rule, click) &&
        other.event_time > click.event_time - rule.windowMs &&
        compareClicks(other, click) < 0,
    )
    .sort((a, b) => compareClicks(b, a))
    .slice(0, rule.after)
    .map(({ event_id }) => event_id)
}

export function testReceipts(test: TestFn, stack: TestStack): void {
  test('receipts: what each layer said of a click is what the log and the rules say', async (t) => {
    t.log(`seed ${seed}`)
    const layers = await startLayers(stack.env(t), start + 5 * minuteMs)
    t.teardown(() => layers.close())
    const { catalogue, log, objects } = layers
    const find = (click: ArchivedClick, advertiserId = click.advertiser_id) =>
      findReceipt(
        { catalogue, log, objects, timeoutMs: 60_000 },
        {
          ...{ eventId: click.event_id, advertiserIds: advertiserId === '' ? [] : [advertiserId] },
          ...{ from: click.event_time - minuteMs, to: click.event_time + minuteMs },
        },
      )
    const sent = clicksIn(start, 2 * hourMs, 1)
    await layers.append(sent)
    await layers.judged()
    const clicks = await readRawClicks(log)
    const judged = new Map((await layers.readJudged()).map((said) => [said.event_id, said]))
    const sample = fc.sample(fc.constantFrom(...clicks), { seed, numRuns: 25 })
    const speedIsRight = (receipt: Receipt | undefined, click: ArchivedClick) => {
      const { status, rule, judged_time } = judged.get(click.event_id) ?? {}
      t.deepEqual(receipt?.click.event_id, click.event_id)
      t.like(receipt?.speed, { state: 'judged', status, rule, judged_time })
    }
    for (const click of sample.slice(0, 3)) {
      const receipt = await find(click)
      speedIsRight(receipt, click)
      t.is(receipt?.batch.state, 'waiting', 'nothing is built yet')
    }

    layers.clock.advance(4 * hourMs)
    await layers.sealed(start + 3 * hourMs)
    const verdicts = judgeNaively(defaultRuleSet, clicks)
    let repeats = 0
    for (const click of sample) {
      const receipt = await find(click)
      speedIsRight(receipt, click)
      const verdict = verdicts[clicks.indexOf(click)]
      t.like(receipt?.batch, { state: 'judged', in_force: true, rule_set: 1, ...verdict })
      const ruled = repeatedNaively(clicks, click, verdict?.rule ?? '')
      t.deepEqual(
        receipt?.repeats?.clicks.map(({ event_id }) => event_id),
        ruled,
      )
      t.is(receipt?.repeats?.complete, ruled ? true : undefined)
      if (ruled) repeats++
      t.is(await find(click, 'adv-9'), undefined, 'it is of nobody else')
    }
    t.true(repeats > 0)

    // A copy, and a click that comes after its hour was built.
    const [first] = sample
    if (!first) return
    const late = { ...first, event_id: 'late', event_time: first.event_time + 1 }
    await layers.append([first, late])
    await layers.judged()
    const seen = await find({ ...late })
    t.is(seen?.batch.state, 'waiting')

    layers.clock.advance(2 * hourMs)
    await layers.sealed(start + 5 * hourMs)
    await until(async () => (await find({ ...late }))?.batch.state === 'judged', {
      everyMs: 500,
      what: 'the hour is built again',
    })
    t.is((await find(first))?.copies.length, 1)
    t.like((await find(first))?.batch, {
      state: 'judged',
      status: verdicts[clicks.indexOf(first)]?.status,
    })
  })
}
