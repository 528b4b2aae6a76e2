// Staged against live, per hour: what publishing would change.

import type { HourTotals, OlapStore } from '#platform/olap/port.ts'
import { hourMs } from '#schemas/paths.ts'
import type { StagedHour } from './stage-worker.ts'

export interface HourDiff {
  readonly hour: number
  readonly before: Omit<HourTotals, 'hour'>
  readonly after: Omit<HourTotals, 'hour'>
}

const totalsOf = ({ valid, duplicate, invalid }: StagedHour): Omit<HourTotals, 'hour'> => ({
  click_count: valid,
  gross_click_count: valid + duplicate + invalid,
  duplicate_click_count: duplicate,
  fraudulent_click_count: invalid,
})

const none: Omit<HourTotals, 'hour'> = {
  click_count: 0,
  gross_click_count: 0,
  duplicate_click_count: 0,
  fraudulent_click_count: 0,
}

const same = (a: Omit<HourTotals, 'hour'>, b: Omit<HourTotals, 'hour'>) =>
  (Object.keys(none) as (keyof typeof none)[]).every((name) => a[name] === b[name])

/** Hours whose batch totals differ between the store and what is staged. */
export async function diffHours(
  olap: Pick<OlapStore, 'hourTotals'>,
  staged: readonly StagedHour[],
): Promise<HourDiff[]> {
  if (staged.length === 0) return []
  const hours = staged.map(({ hour }) => hour)
  const live = await olap.hourTotals('batch', Math.min(...hours), Math.max(...hours) + hourMs)
  const byHour = new Map(live.map(({ hour, ...totals }) => [hour, totals]))
  return staged
    .map((hour) => ({
      hour: hour.hour,
      before: byHour.get(hour.hour) ?? none,
      after: totalsOf(hour),
    }))
    .filter(({ before, after }) => !same(before, after))
}
