// The rows of a report, from the store or from an equal question before it. The key of an answer is
// the query (its tenant's predicate is part of it), the boundary's id, the runs below it and, above
// it, the offsets that the store has applied: a kept answer is what the store would say again.
import type { ReportQuery, ReportRow } from '#core/report-query.ts'
import type { Answers } from '../admission/answers.ts'
import type { Caller } from '../admission/caller.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import type { PublishedRun } from '../boundary.ts'

/** What is published of a range. */
export interface Publication {
  readonly runs: readonly PublishedRun[]
  /** Runs that replace hours of it: the store may show them before the catalogue says so. */
  readonly publishing: readonly string[]
}

export interface AskParts {
  readonly gate: QueryGate
  readonly answers: Answers
  readonly caller: Caller
  /** What the range shows, read again. */
  publication(): Promise<Publication>
  /**
   * Whether what the store had shown is still shown; absent where nothing above the boundary is asked.
   * @param applied - of the rows themselves, where they show it (OnRead)
   */
  isWhole?(applied?: readonly number[]): Promise<boolean>
}

export interface AskState extends Publication {
  readonly boundaryId: number
  /** Absent where nothing above the boundary is asked. */
  readonly applied?: readonly number[]
}

export interface AskedRows {
  readonly rows: readonly ReportRow[]
  /** Whether the store showed all that it had ever shown, also after the query. */
  readonly isWhole: boolean
  /** Whether nothing of the range was published between the reading of the state and the answer. */
  readonly isSettled: boolean
}

const isSame = (a: Publication, b: Publication) =>
  JSON.stringify([a.runs, a.publishing]) === JSON.stringify([b.runs, b.publishing])

/** @throws ClickledgerError as QueryGate.query */
export function askRows(parts: AskParts, query: ReportQuery, state: AskState): Promise<AskedRows> {
  const columns = 1 + query.dimensions.length + query.metrics.length
  return parts.answers.of([query, state], parts.caller, async (caller) => {
    // Both are looked at after the rows were read, beside the store's own look at what it showed.
    const lookAfter = (applied?: readonly number[]) =>
      Promise.all([parts.isWhole?.(applied) ?? true, parts.publication()])
    let looking: ReturnType<typeof lookAfter> | undefined
    const rows = await parts.gate.query(query, caller, (applied) => {
      looking = lookAfter(applied)
      looking.catch(() => {}) // told below, unless the query itself fails
    })
    const [isWhole, publication] = await (looking ?? lookAfter())
    const isSettled = isSame(publication, state)
    const isKept = isWhole && isSettled && state.publishing.length === 0
    return { value: { rows, isWhole, isSettled }, isKept, cells: rows.length * columns }
  })
}
