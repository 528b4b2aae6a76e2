// Hours on the command line.
import { hourMs } from '#schemas/paths.ts'
import { WrongUse } from './exit.ts'
import { createTimeParser } from './import/time-format.ts'

const parseIso = createTimeParser('iso')
const isDay = /^\d{4}-\d{2}-\d{2}$/

/** A whole hour, or a day for its first one, as ISO 8601. @throws WrongUse naming the option */
export function hourOption(name: string, text: string): string {
  const time = parseIso(isDay.test(text) ? `${text}T00:00:00Z` : text)
  if (time === undefined || time % hourMs !== 0) {
    throw new WrongUse(
      `${name}: ${text} is not a whole hour in ISO 8601, such as 2026-11-22T05:00:00Z or 2026-11-22`,
    )
  }
  return new Date(time).toISOString()
}

/** Hours [from, to). @throws WrongUse */
export function hourRangeOptions(from: string, to: string): { from: string; to: string } {
  const range = { from: hourOption('--from', from), to: hourOption('--to', to) }
  if (range.from >= range.to) throw new WrongUse('--from must be before --to')
  return range
}
