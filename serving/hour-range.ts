// A range of whole hours, as operators give it.

import { parseInstant } from '#core/buckets.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { hourMs } from '#schemas/paths.ts'

function wholeHour(name: string, text: string): number {
  const time = parseInstant(text, 'UTC')
  if (time === undefined || time % hourMs !== 0) {
    throw new ClickledgerError(
      'bad-request',
      `${name} must be a whole hour in ISO 8601, such as 2026-11-22T05:00:00Z`,
    )
  }
  return time
}

/** Hours [from, to) in ms. @throws ClickledgerError `bad-request` */
export function hourRange({ from, to }: { from: string; to: string }): {
  from: number
  to: number
} {
  const range = { from: wholeHour('from', from), to: wholeHour('to', to) }
  if (range.from >= range.to) throw new ClickledgerError('bad-request', 'from must be before to')
  return range
}
