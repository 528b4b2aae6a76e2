// A store with known clicks on both sides of the boundary, and statements asked of it. Each side also
// holds clicks that the other answers for: whoever reads them counts wrong.
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import type { Filter } from '#core/report-query.ts'
import type { SqlAnswer, SqlStatement, SqlValue } from '#core/sql.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { hourMs } from '#schemas/paths.ts'
import { statuses } from '#schemas/verdicts.ts'
import { blankClick } from '../../../tests/support/blank-clicks.ts'
import { loadClicks, showJudged } from '../../../tests/support/staged.ts'
import { rewrite } from '../gateway.ts'
import { parseSqlRequest } from '../request.ts'
import type { Pinned } from '../scope.ts'

export const boundary = Date.UTC(2026, 10, 22, 5)
export const firstHour = boundary - 30 * hourMs
export const lastHour = boundary + 3 * hourMs
export const now = boundary + 3 * hourMs

/** Clicks of one advertiser over all hours; what names them begins with its name. */
export function clicksOf(advertiser: string, count: number, seed: number): JudgedClick[] {
  const hours = fc.constantFrom(-30, -29, -5, -4, -1, 0, 1, 2)
  const some = fc.record({
    hour: hours,
    within: fc.integer({ min: 0, max: hourMs - 1 }),
    ad_id: fc.constantFrom(`${advertiser}-ad-1`, `${advertiser}-ad-2`, `${advertiser}-é'👍`),
    publisher_id: fc.constantFrom('pub-1', 'pub-2'),
    country: fc.constantFrom('US', 'IL', ''),
    device_type: fc.constantFrom('mobile', 'desktop'),
    visitor: fc.constantFrom('', ...[1, 2, 3, 4, 5].map((n) => `${advertiser}-v${n}`)),
    ip_hash: fc.constantFrom('', ...[1, 2, 3].map((n) => `${advertiser}-i${n}`)),
    status: fc.constantFrom(...statuses),
  })
  return fc.sample(some, { numRuns: count, seed }).map(({ hour, within, ...fields }) => {
    const time = boundary + hour * hourMs + within
    return {
      ...blankClick,
      ...{ event_id: randomUUID(), event_time: time, judged_time: time, advertiser_id: advertiser },
      ...fields,
    }
  })
}

export interface LoadParts {
  readonly store: OlapStore
  readonly log: EventLog
  readonly objects: ObjectStore
}

/** Fills the views: each gets clicks of all hours. */
export async function fill(
  { store, log, objects }: LoadParts,
  batch: readonly JudgedClick[],
  speed: readonly JudgedClick[],
): Promise<void> {
  await Promise.all([
    showJudged({ store, log }, speed),
    loadClicks({ store, objects }, 'run-1', batch),
  ])
}

export const pinnedFor = (advertiser: string | undefined, timeZone = 'UTC'): Pinned => ({
  ...{ now, boundary, earliest: firstHour, timeZone, dropped: { minute: [], hour: [] } },
  arriving: [],
  filters: advertiser === undefined ? [] : [tenant(advertiser)],
})

export const tenant = (advertiser: string): Filter => ({
  ...{ dimension: 'advertiser_id', kind: 'in', values: [advertiser] },
})

export interface Asked {
  readonly sql: string
  readonly parameters?: readonly { type: string; value: SqlValue }[]
  readonly context?: Readonly<Record<string, unknown>>
}

/** A statement as the gateway makes it of a request. */
export function statementOf(asked: Asked, pinned: Pinned): SqlStatement {
  const { sql: query, parameters = [], context = {} } = asked
  return rewrite(parseSqlRequest({ query, parameters, context }), pinned, 20_000)
}

export async function rowsOf(answer: SqlAnswer): Promise<SqlValue[][]> {
  const rows: SqlValue[][] = []
  for await (const batch of answer.rows) rows.push(...batch.map((row) => [...row]))
  return rows
}

/** Rows of the answer. */
export const ask = async (
  store: Pick<OlapStore, 'sql'>,
  asked: Asked,
  pinned: Pinned,
): Promise<SqlValue[][]> => rowsOf(await store.sql(statementOf(asked, pinned)))
