// Random clicks for property tests: few keys and small times, so that repeats, ties, copies and
// marks all happen often.
import fc from 'fast-check'
import type { Rule, RuleSet } from '#core/rules/rule-set.ts'
import { keyFields } from '#core/rules/rule-set.ts'
import type { ArchivedClick, RawClick } from '#schemas/fields.ts'
import { joinMarks, type Mark, marks } from '#schemas/verdicts.ts'
import { blankRaw } from './blank-clicks.ts'

/** The seed of this run: printed, and taken from SEED to repeat a failure. */
export const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31))

/** A click with every field empty but those given. */
export function clickWith(fields: Partial<ArchivedClick>): ArchivedClick {
  return { ...blankRaw, raw_partition: 0, raw_offset: 0, ...fields }
}

const oneOf = (...values: string[]) => fc.constantFrom(...values)

/** UTF-8 orders the last two otherwise than UTF-16 does. */
const idBegins = ['id', '\uffee', '😀']

/** Clicks with times in [0, spanMs); positions are their index. */
export function randomClicks(options: { spanMs: number; ids: number; max: number }) {
  const click = fc.record({
    event_time: fc.integer({ min: 0, max: options.spanMs - 1 }),
    event_id: fc
      .integer({ min: 0, max: options.ids })
      .map((n) => `${idBegins[n % idBegins.length]}-${String(n).padStart(6, '0')}`),
    advertiser_id: oneOf('adv-1', 'adv-2'),
    ad_id: oneOf('ad-1', 'ad-2', 'ad-3'),
    impression_id: oneOf('', 'imp-1', 'imp-2', 'imp-3', 'imp-4'),
    visitor: oneOf('', 'v1', 'v2', 'v3'),
    ip_hash: oneOf('', 'ip1', 'ip2'),
    marks: fc
      .subarray(Object.keys(marks) as Mark[], { maxLength: 2 })
      .map((some) => joinMarks(some))
      .chain((text) => fc.constantFrom('', '', '', text)),
  })
  return fc
    .array(click, { maxLength: options.max, size: 'max' })
    .map((list) =>
      list.map((fields, i) => clickWith({ ...fields, raw_partition: i % 3, raw_offset: i })),
    )
}

/** Clicks in [from, from + spanMs), received when they happened. @param salt - others for each number */
export function clicksIn(from: number, spanMs: number, salt: number): RawClick[] {
  const clicks = fc.sample(randomClicks({ spanMs, ids: 100_000, max: 300 }), {
    numRuns: 80,
    seed: seed + salt,
  })
  return clicks.flat().map((click, i) => ({
    ...click,
    event_id: `${salt}-${i}`,
    event_time: from + click.event_time,
    received_time: from + click.event_time,
  }))
}

/** Rule sets of every kind, with windows that fit small times. */
export function randomRuleSet(windowMaxMs: number): fc.Arbitrary<RuleSet> {
  const status = fc.constantFrom('duplicate' as const, 'invalid' as const)
  const markRule = fc.record({
    kind: fc.constant('mark' as const),
    mark: fc.constantFrom(...(Object.keys(marks) as Mark[])),
    status,
  })
  const repeatRule = fc.record({
    kind: fc.constant('repeat' as const),
    key: fc.subarray(
      [...keyFields].filter((f) => f !== 'event_id'),
      { minLength: 1, maxLength: 2 },
    ),
    windowMs: fc.integer({ min: 1, max: windowMaxMs }),
    after: fc.constantFrom(1, 1, 2, 5),
    status,
  })
  return fc
    .tuple(fc.array(markRule, { maxLength: 3 }), fc.array(repeatRule, { maxLength: 4 }))
    .map(([first, then]) => ({
      version: 1,
      rules: [...first, ...then].map((rule, i) => ({ ...rule, id: `rule-${i + 1}` }) as Rule),
    }))
}
