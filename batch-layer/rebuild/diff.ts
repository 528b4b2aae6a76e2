// Staged against live, per hour, advertiser and status: what publishing would change. Live is what the
// published run staged; above the boundary, what the speed view shows.
import type { ReportQuery } from '#core/report-query.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { sumMetrics } from '#schemas/metrics.ts'
import { hourMs } from '#schemas/paths.ts'
import { type Change, type Counts, type HourPair, noCounts } from './compare-worker.ts'
import { type GuardRails, type HourChanges, type Violation, violationsOf } from './guard-rails.ts'
import type { RunHour } from './runs.ts'
import type { StagedHour } from './stage-worker.ts'

/** Hours that one worker compares in one go. */
const hoursAtOnce = 24
/** Lines of a list that a person reads, at most. */
const shownMax = 100
/** Advertisers of an hour, at most, that the speed view is asked about. */
const advertisersMax = 100_000

export interface DiffLine {
  readonly before: Counts
  readonly after: Counts
}

export interface Diff {
  readonly changedHours: number
  readonly total: DiffLine
  /** Hours that change; the first so many. */
  readonly hours: readonly (DiffLine & { readonly hour: string })[]
  /** Advertisers whose numbers change, the most changed first; so many. */
  readonly advertisers: readonly (DiffLine & { readonly advertiser_id: string })[]
  readonly violations: readonly (Omit<Violation, 'hour'> & { readonly hour: string })[]
  readonly violationsTotal: number
}

export interface DiffParts {
  readonly olap: OlapStore
  readonly rails: GuardRails
  /** Runs compare-worker.ts. */
  compare(hours: readonly HourPair[], by: 'advertiser' | 'ad'): Promise<Change[]>
}

export const countsOf = ({ valid, duplicate, invalid }: StagedHour): Counts => ({
  click_count: valid,
  gross_click_count: valid + duplicate + invalid,
  duplicate_click_count: duplicate,
  fraudulent_click_count: invalid,
})

const names = sumMetrics.map(({ name }) => name)
export const plus = (a: Counts, b: Counts): Counts =>
  Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as Counts
export const sameCounts = (a: Counts, b: Counts): boolean => names.every((n) => a[n] === b[n])
const sizeOf = ({ before, after }: DiffLine) =>
  names.reduce((sum, name) => sum + Math.abs(after[name] - before[name]), 0)
const iso = (time: number) => new Date(time).toISOString()

/** What the speed view shows of an hour, by advertiser. */
async function speedHour(
  olap: Pick<OlapStore, 'query'>,
  hour: number,
): Promise<Map<string, Counts>> {
  const query: ReportQuery = {
    ...{ start: hour, end: hour + hourMs, boundary: hour, granularity: 'all', timeZone: 'UTC' },
    ...{ dimensions: ['advertiser_id'], filters: [], metrics: names },
    ...{ limit: advertisersMax },
  }
  const rows = await olap.query(query)
  return new Map(
    rows.map(({ dimensions, metrics }) => [
      dimensions.advertiser_id ?? '',
      { ...noCounts, ...metrics } as Counts,
    ]),
  )
}

/** Changes from the speed view's numbers to the staged ones, which are given as changes from nothing. */
function changesFrom(
  speed: Map<string, Counts>,
  hour: number,
  staged: readonly Change[],
): Change[] {
  const after = new Map(staged.map((change) => [change.advertiser_id, change.after]))
  return [...new Set([...speed.keys(), ...after.keys()])]
    .map((advertiser_id) => ({
      ...{ hour, advertiser_id, ad_id: '' },
      before: speed.get(advertiser_id) ?? noCounts,
      after: after.get(advertiser_id) ?? noCounts,
    }))
    .filter((change) => !sameCounts(change.before, change.after))
}

export interface Live {
  /** Hours from here on are answered by the speed view; ms. */
  readonly boundary: number
  /** Whether the archive has more of the hour than what was published of it. */
  hasNewClicks(hour: number): boolean
}

/** Looks at each hour; the worker compares some at a time, so that few are in memory. */
export async function* changesByHour(
  parts: DiffParts,
  staged: readonly StagedHour[],
  published: ReadonlyMap<number, RunHour>,
  { hasNewClicks, boundary }: Live,
): AsyncGenerator<HourChanges> {
  for (let first = 0; first < staged.length; first += hoursAtOnce) {
    const some = staged.slice(first, first + hoursAtOnce)
    const pairs = some.map(({ hour, files }) => ({
      ...{ hour, after: files },
      before: hour < boundary ? (published.get(hour)?.files ?? []) : [],
    }))
    const comparable = pairs.filter(({ before, after }) => before.length + after.length > 0)
    const all = comparable.length > 0 ? await parts.compare(comparable, 'advertiser') : []
    for (const hour of some) {
      const before = published.get(hour.hour)
      const changes = all.filter((change) => change.hour === hour.hour)
      const common = { hour: hour.hour, after: countsOf(hour) }
      if (hour.hour < boundary) {
        const shown = before ? countsOf(before) : noCounts
        const isNew = hasNewClicks(hour.hour)
        yield { ...common, before: shown, changes, hasNewClicks: isNew, isFirst: false }
      } else {
        const speed = await speedHour(parts.olap, hour.hour)
        const shown = [...speed.values()].reduce(plus, noCounts)
        const from = changesFrom(speed, hour.hour, changes)
        yield { ...common, before: shown, changes: from, hasNewClicks: true, isFirst: true }
      }
    }
  }
}

/** Sums up what changes, for people; whatever the number of hours, its size is bounded. */
export async function summarize(
  hours: AsyncIterable<HourChanges>,
  rails: GuardRails,
): Promise<Diff> {
  const advertisers = new Map<string, DiffLine>()
  const shown: Diff['hours'][number][] = []
  const violations: Diff['violations'][number][] = []
  let [changedHours, violationsTotal] = [0, 0]
  let total: DiffLine = { before: noCounts, after: noCounts }
  for await (const hour of hours) {
    const { before, after, changes } = hour
    total = { before: plus(total.before, before), after: plus(total.after, after) }
    if (changes.length > 0 || !sameCounts(before, after)) {
      changedHours++
      if (shown.length < shownMax) shown.push({ hour: iso(hour.hour), before, after })
    }
    for (const { advertiser_id, before: b, after: a } of changes) {
      const sum = advertisers.get(advertiser_id)
      advertisers.set(advertiser_id, {
        before: plus(sum?.before ?? noCounts, b),
        after: plus(sum?.after ?? noCounts, a),
      })
    }
    for (const found of violationsOf(hour, rails)) {
      violationsTotal++
      if (violations.length < shownMax) violations.push({ ...found, hour: iso(found.hour) })
    }
  }
  const changed = [...advertisers]
    .map(([advertiser_id, line]) => ({ advertiser_id, ...line }))
    .sort((a, b) => sizeOf(b) - sizeOf(a))
    .slice(0, shownMax)
  return { changedHours, total, hours: shown, advertisers: changed, violations, violationsTotal }
}

/** Live totals of hours that differ from what is staged: the store read back after publication. */
export async function wrongHours(
  olap: Pick<OlapStore, 'hourTotals'>,
  staged: readonly StagedHour[],
): Promise<number[]> {
  if (staged.length === 0) return []
  const hours = staged.map(({ hour }) => hour)
  const live = await olap.hourTotals('batch', Math.min(...hours), Math.max(...hours) + hourMs)
  const byHour = new Map(live.map(({ hour, ...totals }) => [hour, totals as Counts]))
  return staged
    .filter((hour) => !sameCounts(byHour.get(hour.hour) ?? noCounts, countsOf(hour)))
    .map(({ hour }) => hour)
}
