// The rows of a report, from the store or from an equal question before it. The key of an answer is
// the query (its tenant's predicate is part of it), the boundary's id, the runs below it and, above
// it, the offsets that the store has applied: a kept answer is what the store would say again.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Answers } from '../admission/answers.ts'
import type { Caller } from '../admission/caller.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import type { PublishedRun } from '../boundary.ts'

export interface AskParts {
  readonly catalogue: Queryable
  readonly gate: QueryGate
  readonly answers: Answers
  readonly caller: Caller
  /** The runs that the range shows, read again. */
  runs(): Promise<readonly PublishedRun[]>
  /** Whether what the store had shown is still shown; absent where nothing above the boundary is asked. */
  isWhole?(): Promise<boolean>
}

export interface AskState {
  readonly boundaryId: number
  readonly runs: readonly PublishedRun[]
  /** Absent where nothing above the boundary is asked. */
  readonly applied?: readonly number[]
}

export interface AskedRows {
  readonly rows: readonly ReportRow[]
  /** Whether the store showed all that it had ever shown, also after the query. */
  readonly isWhole: boolean
}

/**
 * While a run is being published, the store may show its hours before the catalogue says so.
 * @returns whether nothing was published between the reading of the state and now
 */
async function isSettled({ catalogue, runs }: AskParts, before: AskState): Promise<boolean> {
  const publishing = await catalogue.query(
    "SELECT 1 AS one FROM runs WHERE status = 'publishing' LIMIT 1",
  )
  return publishing.length === 0 && JSON.stringify(await runs()) === JSON.stringify(before.runs)
}

/** @throws ClickledgerError as QueryGate.query */
export function askRows(parts: AskParts, query: ReportQuery, state: AskState): Promise<AskedRows> {
  const columns = 1 + query.dimensions.length + query.metrics.length
  return parts.answers.of([query, state], parts.caller, async (caller) => {
    const rows = await parts.gate.query(query, caller)
    const isWhole = (await parts.isWhole?.()) ?? true
    const isKept = isWhole && (await isSettled(parts, state))
    return { value: { rows, isWhole }, isKept, cells: rows.length * columns }
  })
}
