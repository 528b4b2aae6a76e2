// The bounds of the streaming state: it remembers at least one span, and never more than its limit.
import test from 'ava'
import fc from 'fast-check'
import { clickWith, seed } from '../../tests/support/random-clicks.ts'
import { RepeatTable } from './repeat-table.ts'
import { defaultRuleSet, formatRuleSet, parseRuleSet } from './rule-set.ts'
import { createStreamingJudge } from './streaming.ts'

test('a time is remembered for one span at least, whatever comes between', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ key: fc.nat({ max: 20 }), gap: fc.nat({ max: 30 }) }), {
        maxLength: 200,
      }),
      (steps) => {
        const spanMs = 100
        const table = new RepeatTable(1, spanMs, { timesMax: 1e6, spanMs })
        const last = new Map<number, number>()
        let now = 0
        for (const { key, gap } of steps) {
          now += gap
          table.advance(now)
          const before = last.get(key)
          t.is(table.isRepeat(key, 1, now), before !== undefined && now - before < spanMs)
          table.add(key, 1, now)
          last.set(key, now)
        }
      },
    ),
    { seed },
  )
})

test('a full table gives up its older half and says so', (t) => {
  const table = new RepeatTable(1, 1_000, { timesMax: 500, spanMs: Number.MAX_SAFE_INTEGER })
  for (let key = 0; key < 10_000; key++) table.add(key, 1, key)
  t.true(table.size <= 1_000)
  t.true(table.fullRotations >= 18)
  t.true(table.isRepeat(9_999, 1, 9_999))
})

test('state stays bounded over many clicks', (t) => {
  const limits = { historyMs: 1_000, timesMax: 2_000 }
  const judge = createStreamingJudge(defaultRuleSet, limits)
  let largest = 0
  for (let n = 0; n < 60_000; n++) {
    const id = `id-${n}`
    const click = clickWith({
      ...{ event_id: id, event_time: n, advertiser_id: 'a', ad_id: `ad-${n % 50}` },
      ...{ visitor: id, ip_hash: id, impression_id: id },
    })
    judge.judge(click, n)
    largest = Math.max(largest, judge.stateSize)
  }
  t.true(largest <= 4 * 2 * 2_000, `${largest} keys`)
})

test('rule sets survive their JSON form; faults name the rule and the field', (t) => {
  t.deepEqual(parseRuleSet(formatRuleSet(defaultRuleSet)), defaultRuleSet)
  const with_ =
    (...rules: unknown[]) =>
    () =>
      parseRuleSet({ version: 1, rules })
  const repeat = { id: 'r', kind: 'repeat', key: ['ad_id'], window: 'PT1M', status: 'duplicate' }
  const mark = { id: 'm', kind: 'mark', mark: 'prefetch', status: 'invalid' }
  t.notThrows(with_(mark, repeat))
  t.throws(with_(repeat, mark), { message: /"m": mark rules come first/ })
  t.throws(with_({ ...repeat, window: '1 minute' }), { message: /rules\[0\]\.window/ })
  t.throws(with_({ ...repeat, key: ['color'] }), { message: /rules\[0\]\.key.*color/ })
  t.throws(with_({ ...repeat, after: 0 }), { message: /rules\[0\]\.after/ })
  t.throws(with_({ ...mark, mark: 'nope' }), { message: /rules\[0\]\.mark/ })
  t.throws(with_({ ...mark, status: 'valid' }), { message: /rules\[0\]\.status/ })
  t.throws(with_(mark, mark), { message: /two rules/ })
  t.throws(with_({ ...repeat, extra: 1 }), { message: /unknown field "extra"/ })
  t.throws(() => parseRuleSet({ version: 0, rules: [] }), { message: /version/ })
})
