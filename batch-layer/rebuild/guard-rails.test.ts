import test from 'ava'
import fc from 'fast-check'
import { seed } from '../../tests/support/random-clicks.ts'
import { type Counts, noCounts } from './compare-worker.ts'
import { type Alarm, type GuardRails, type HourChanges, violationsOf } from './guard-rails.ts'

const rails: GuardRails = { percent: 20, clicks: 100 }
const counts = (valid: number, duplicate = 0): Counts => ({
  ...noCounts,
  click_count: valid,
  duplicate_click_count: duplicate,
  gross_click_count: valid + duplicate,
})
const hour = (before: Counts, after: Counts, more: Partial<HourChanges> = {}): HourChanges => ({
  ...{ hour: 0, before, after, changes: [], hasNewClicks: false, isFirst: false },
  ...more,
})
const change = (advertiser_id: string, before: Counts, after: Counts) => ({
  ...{ hour: 0, advertiser_id, ad_id: '', before, after },
})

interface Case {
  readonly name: string
  readonly hour: HourChanges
  readonly alarms: readonly `${Alarm} ${string}`[]
}

const cases: readonly Case[] = [
  { name: 'nothing changes', hour: hour(counts(500), counts(500)), alarms: [] },
  { name: 'as much as is allowed', hour: hour(counts(500), counts(400)), alarms: [] },
  {
    name: 'a click more than that',
    hour: hour(counts(500), counts(399)),
    alarms: ['clicks-lost '],
  },
  { name: 'an hour without clicks', hour: hour(counts(1), noCounts), alarms: ['hour-empty '] },
  {
    name: 'verdicts change, clicks do not',
    hour: hour(counts(500), counts(300, 200)),
    alarms: ['clicks-lost '],
  },
  { name: 'few clicks', hour: hour(counts(99), counts(1)), alarms: [] },
  { name: 'more, from nowhere', hour: hour(counts(500), counts(700)), alarms: ['clicks-gained '] },
  {
    name: 'more, from new clicks',
    hour: hour(counts(500), counts(700), { hasNewClicks: true }),
    alarms: [],
  },
  {
    name: 'an advertiser vanishes',
    hour: hour(counts(5000), counts(4900), { changes: [change('a', counts(100), noCounts)] }),
    alarms: ['advertiser-vanished a'],
  },
  {
    name: 'first published: speed judges with less history',
    hour: hour(counts(500), counts(300, 200), { isFirst: true }),
    alarms: [],
  },
]

for (const { name, hour: given, alarms } of cases) {
  test(name, (t) => {
    t.deepEqual(
      violationsOf(given, rails).map((v) => `${v.alarm} ${v.advertiser_id}`),
      [...alarms],
    )
  })
}

test('wider rails never stop what narrower ones let pass', (t) => {
  const some = fc.nat({ max: 2_000 }).map((n) => counts(n))
  const property = fc.property(
    some,
    some,
    fc.nat({ max: 100 }),
    fc.nat({ max: 50 }),
    (b, a, p, q) => {
      const narrow = violationsOf(hour(b, a), { percent: p, clicks: 100 }).length
      const wide = violationsOf(hour(b, a), { percent: p + q, clicks: 100 }).length
      return wide <= narrow
    },
  )
  fc.assert(property, { seed })
  t.pass()
})
