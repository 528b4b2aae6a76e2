// Guard rails: what a run would change that nobody should publish without having looked. More clicks are
// no alarm where the archive has got more since the hour was published.
import type { Change, Counts } from './compare-worker.ts'

export interface GuardRails {
  /** Change of an hour's, or of an advertiser's clicks in an hour, in per cent. */
  readonly percent: number
  /** Shares of fewer clicks than this are not looked at. */
  readonly clicks: number
}

export type Alarm = 'hour-empty' | 'advertiser-vanished' | 'clicks-lost' | 'clicks-gained'

export interface Violation {
  readonly alarm: Alarm
  readonly hour: number
  /** Empty: the hour as a whole. */
  readonly advertiser_id: string
  readonly before: number
  readonly after: number
}

export interface HourChanges {
  readonly hour: number
  /** Totals of the hour. */
  readonly before: Counts
  readonly after: Counts
  /** By advertiser, those that differ. */
  readonly changes: readonly Change[]
  /** The archive has got clicks of this hour, or of its look-back, since it was published. */
  readonly hasNewClicks: boolean
  /** `before` is the speed view's: which judges with less history, so only the clicks count. */
  readonly isFirst: boolean
}

/** What of an hour must be looked at before it is published. */
export function violationsOf(hour: HourChanges, rails: GuardRails): Violation[] {
  const found: Violation[] = []
  const look = (advertiser_id: string, before: Counts, after: Counts) => {
    const metrics = hour.isFirst
      ? (['gross_click_count'] as const)
      : (['gross_click_count', 'click_count'] as const)
    const gone = before.gross_click_count > 0 && after.gross_click_count === 0
    for (const name of metrics) {
      const [b, a] = [before[name], after[name]]
      const note = (alarm: Alarm) =>
        found.push({ alarm, hour: hour.hour, advertiser_id, before: b, after: a })
      if (gone && advertiser_id === '') return void note('hour-empty')
      if (b < rails.clicks) continue
      if (gone) return void note('advertiser-vanished')
      const percent = (Math.abs(a - b) / b) * 100
      if (percent <= rails.percent) continue
      if (a < b) return void note('clicks-lost')
      if (!hour.hasNewClicks) return void note('clicks-gained')
    }
  }
  look('', hour.before, hour.after)
  for (const { advertiser_id, before, after } of hour.changes) look(advertiser_id, before, after)
  return found
}
