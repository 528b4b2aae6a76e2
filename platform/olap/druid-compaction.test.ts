import test from 'ava'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { joinedOver, weekToJoin } from './druid-compaction.ts'
import { segmentRowsMax } from './druid-load-specs.ts'

/** Mondays. */
const [week, next] = [Date.UTC(2026, 10, 9), Date.UTC(2026, 10, 16)]
const later = Date.UTC(2027, 0, 1)

const segment = (start: number, days = 1, rows = 10, version = 'v1') => ({
  ...{ start, end: start + days * dayMs, rows, version },
})
const daysOf = (start: number, rows = 10) =>
  [0, 1, 2, 3, 4, 5, 6].map((day) => segment(start + day * dayMs, 1, rows))
const joinedAt = (...args: Parameters<typeof weekToJoin>) => weekToJoin(...args)?.week.start

test('the newest week that is over and in pieces is joined', (t) => {
  const days = [...daysOf(week), ...daysOf(next)]
  t.is(joinedAt(days, later), next)
  t.is(joinedAt(days, next + 7 * dayMs), next)
  t.is(joinedAt(days, next + 7 * dayMs - hourMs), week, 'not over yet')
  t.is(joinedAt([segment(next, 7), ...daysOf(week)], later), week, 'joined already')
  t.is(joinedAt([segment(next, 7), segment(week, 7)], later), undefined)
  t.is(joinedAt([], later), undefined)
})

test('a week of which a day is missing stays as it is', (t) => {
  for (const day of [0, 3, 6]) {
    const others = daysOf(next).toSpliced(day, 1)
    t.is(joinedAt(others, later), undefined, `day ${day}`)
    t.is(joinedAt([...daysOf(week), ...others], later), week)
  }
  t.is(joinedAt([segment(next)], later), undefined, 'one day alone')
})

test('a week that is parted again, or in which a day is newer, is in pieces', (t) => {
  const newer = segment(next + dayMs, 1, 10, 'v2')
  t.is(joinedAt([segment(next, 7), newer], later), next)
  const parts = [segment(next, 7), segment(next, 7)]
  t.is(joinedAt(parts, later), undefined, 'two parts of one interval are one piece')
})

test('a week of more rows than a segment takes stays as it is', (t) => {
  const half = Math.ceil(segmentRowsMax / 7)
  t.is(joinedAt(daysOf(next, half + 1), later), undefined)
  t.is(joinedAt([...daysOf(week), ...daysOf(next, half + 1)], later), week)
})

test('what is longer than a day and in force is parted before a day of it is replaced', (t) => {
  const all = [segment(week, 7), segment(next, 7), segment(later)]
  t.deepEqual(joinedOver(all, [next + 3 * dayMs]), [segment(next, 7)])
  t.deepEqual(joinedOver(all, [next, next + dayMs]), [segment(next, 7)], 'once')
  t.deepEqual(joinedOver(all, [week + 6 * dayMs, next]), all.slice(0, 2))
  t.deepEqual(joinedOver(all, [later]), [])
  const parted = daysOf(next).map((day) => ({ ...day, version: 'v2' }))
  t.deepEqual(joinedOver([...all, ...parted], [next]), [], 'parted, and not forgotten yet')
  t.deepEqual(joinedOver([segment(next, 7), segment(next, 7)], [next]).length, 1, 'in two parts')
})
