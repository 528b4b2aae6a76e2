// What the interoperability tests share: clicks with every oddity that a record may hold, and JSON lines.
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { type RawClick, rawFields } from '#schemas/fields.ts'
import { hourMs, minuteMs } from '#schemas/paths.ts'
import { randomClicks } from '../tests/support/random-clicks.ts'

export const schemaDir = fileURLToPath(new URL('../schemas/avro', import.meta.url))

/** Years of four digits, as the decoder takes them. */
const lastTime = Date.UTC(10_000, 0, 1) - 1

const oddTexts = fc.constantFrom(
  '',
  ' ',
  '\u0000',
  'a\u0000b',
  '\ufeff',
  '\ufffe\uffff',
  '\u2028\r\n\t',
  '"\\\'',
  'é\u0301\u200d',
  '👩‍👩‍👧‍👦',
  '\u{10ffff}',
  '٣٫٥ ﷽',
  'x'.repeat(5_000),
)
const text = fc.oneof(
  { arbitrary: oddTexts, weight: 1 },
  { arbitrary: fc.string({ unit: 'binary', maxLength: 40 }), weight: 3 },
)
const time = fc.oneof(
  fc.constantFrom(0, 1, 999, 2 ** 31 - 1, 2 ** 31, 2 ** 32, lastTime - 1, lastTime),
  fc.integer({ min: 0, max: lastTime }),
)

/** Clicks with odd Unicode, empty texts and extreme times; the `event_id` is never empty. */
export function oddClicks(options: { count: number; seed: number }): RawClick[] {
  const click = fc.record(
    Object.fromEntries(rawFields.map((f) => [f.name, f.type === 'string' ? text : time])),
  )
  return fc
    .sample(click, { numRuns: options.count, seed: options.seed })
    .map((fields, i) => ({ ...fields, event_id: `${fields.event_id}#${i}` }) as unknown as RawClick)
}

const hours = [0, Date.UTC(2026, 1, 28, 23), Date.UTC(2026, 2, 1, 0), lastTime + 1 - hourMs]

/** Odd clicks, and such that repeat each other, in a few hours: the first and the last that there are, and two neighbours. */
export function clicksOfSomeHours(seed: number): RawClick[] {
  const odd = oddClicks({ count: 1_200, seed })
  const repeating = fc
    .sample(randomClicks({ spanMs: 10 * minuteMs, ids: 500, max: 100 }), { numRuns: 30, seed })
    .flat()
  return [...odd, ...repeating].map((click, i) => ({
    ...Object.fromEntries(rawFields.map((f) => [f.name, click[f.name]])),
    event_time: (hours[i % hours.length] ?? 0) + (click.event_time % hourMs),
  })) as unknown as RawClick[]
}

/** Lines of JSON -> values. Python writes ASCII, so no line break hides in a text. */
export const parseLines = <T>(lines: string): T[] =>
  lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
