// How long a range may be, and how short. Reports count whole minutes: to answer less than one as if
// it were a whole one would be another number than asked for.
import { parseInstant } from '#core/buckets.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { dayMs, minuteMs } from '#schemas/paths.ts'

interface AskedRange {
  readonly start_time?: string
  readonly end_time?: string
}

/**
 * @param range - as it is answered, widened to whole minutes
 * @throws ClickledgerError `bad-request` below a minute, `query-too-large` above ten years
 */
export function refuseLength(
  { start_time, end_time }: AskedRange,
  zone: string,
  range: { readonly start: number; readonly end: number },
): void {
  const start = start_time === undefined ? range.start : (parseInstant(start_time, zone) ?? 0)
  const end = end_time === undefined ? range.end : (parseInstant(end_time, zone) ?? 0)
  if (end - start < minuteMs) {
    const least = new Date(range.start + minuteMs).toISOString()
    throw new ClickledgerError(
      'bad-request',
      `end_time: less than a minute after start_time; reports count whole minutes, so end at ${least}`,
    )
  }
  const days = Math.ceil((range.end - range.start) / dayMs)
  if (days > limits.reportDaysMax) {
    throw new ClickledgerError(
      'query-too-large',
      `start_time and end_time are ${days} days apart; the limit is ${limits.reportDaysMax}. Ask for ten years at a time.`,
    )
  }
}
