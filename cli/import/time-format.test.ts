import test from 'ava'
import fc from 'fast-check'
import { seed } from '../../tests/support/random-clicks.ts'
import { createTimeParser } from './time-format.ts'

const zones = [
  'Asia/Shanghai',
  'America/New_York',
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
]
const instants = fc.integer({ min: Date.UTC(2000, 0, 2), max: Date.UTC(2037, 0, 1) })

/** What clocks in a zone show, computed by Intl itself. */
function wallClock(time: number, zone: string): string {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(time)
  const at = Object.fromEntries(parts.map((p) => [p.type, p.value]))
  return `${at.year}-${at.month}-${at.day} ${at.hour}:${at.minute}:${at.second}`
}

test('what a zone shows is read back as an instant that shows the same', (t) => {
  t.log(`seed ${seed}`)
  for (const zone of zones) {
    const parse = createTimeParser('yyyy-MM-dd HH:mm:ss', zone)
    fc.assert(
      fc.property(instants, (time) => {
        const second = Math.floor(time / 1000) * 1000
        const parsed = parse(wallClock(second, zone))
        // Shown twice when clocks go back: then the earlier one.
        return (
          parsed !== undefined &&
          parsed <= second &&
          wallClock(parsed, zone) === wallClock(second, zone)
        )
      }),
      { seed, numRuns: 300 },
    )
  }
  t.pass()
})

test('UTC patterns, ISO and epoch forms of one instant agree', (t) => {
  const compact = createTimeParser('yyyyMMddHHmmssSSS')
  const iso = createTimeParser('iso')
  const ms = createTimeParser('epoch-ms')
  const seconds = createTimeParser('epoch-seconds')
  fc.assert(
    fc.property(instants, (time) => {
      const text = new Date(time).toISOString()
      t.is(iso(text), time)
      t.is(compact(text.replace(/[-T:.Z]/g, '')), time)
      t.is(ms(String(time)), time)
      t.is(seconds((time / 1000).toFixed(3)), time)
    }),
    { seed },
  )
})

test('any text gives a time or undefined, never an exception', (t) => {
  const parsers = [
    'yyyyMMddHHmmssSSS',
    'yyyy-MM-dd HH:mm:ss',
    'iso',
    'epoch-ms',
    'epoch-seconds',
  ].map((format) => createTimeParser(format, 'Europe/Berlin'))
  const texts = fc.oneof(fc.string(), fc.stringMatching(/^[0-9T:. +Z-]{0,30}$/))
  fc.assert(
    fc.property(texts, (text) =>
      parsers.every((parse) => {
        const time = parse(text)
        return time === undefined || Number.isSafeInteger(time)
      }),
    ),
    { seed },
  )
  t.pass()
})

test('known times', (t) => {
  const china = createTimeParser('yyyyMMddHHmmssSSS', 'Asia/Shanghai')
  t.is(china('20130606000110312'), Date.parse('2013-06-05T16:01:10.312Z'))
  t.is(china('20130231000110312'), undefined, 'no 31st of February')
  t.is(china('2013060600011031'), undefined)
  const berlin = createTimeParser('yyyy-MM-dd HH:mm:ss', 'Europe/Berlin')
  t.is(
    berlin('2024-10-27 02:30:00'),
    Date.parse('2024-10-27T00:30:00Z'),
    'shown twice: the earlier',
  )
  t.is(berlin('2024-03-31 02:30:00'), Date.parse('2024-03-31T01:30:00Z'), 'skipped: moved on')
  const iso = createTimeParser('iso', 'Asia/Shanghai')
  t.is(iso('2017-11-07T09:30:38+02:00'), Date.parse('2017-11-07T07:30:38Z'))
  t.is(iso('2017-11-07 09:30:38'), Date.parse('2017-11-07T01:30:38Z'))
  t.is(iso('2017-11-07'), Date.parse('2017-11-06T16:00:00Z'))
})

test('formats and zones that mean nothing are refused', (t) => {
  t.throws(() => createTimeParser('yyyy-MM'), { message: /no dd/ })
  t.throws(() => createTimeParser('yyyy-MM-dd hh'), { message: /none of/ })
  t.throws(() => createTimeParser('iso', 'Mars/Olympus'), { message: /IANA/ })
})
