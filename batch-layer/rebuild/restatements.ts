// The restatement record: whatever publication changes a final number writes old, new, reason, run and
// rule set, per advertiser, ad and hour. Append-only, in the transaction that publishes.
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Change } from './compare-worker.ts'

const rowsPerStatement = 200

export interface Restated {
  readonly runId: string
  readonly reason: string
  readonly publishedAt: number
  /** Version that the hour is judged under now. */
  ruleSetOf(hour: number): number
}

const columns =
  'restatement_id, published_at, run_id, rule_set, reason, advertiser_id, ad_id, hour, before, after'
const width = columns.split(', ').length

/** Adds changes to the record. Repeating it changes nothing. */
export async function recordRestatements(
  tx: Queryable,
  changes: readonly Change[],
  { runId, reason, publishedAt, ruleSetOf }: Restated,
): Promise<void> {
  if (changes.length === 0) return
  const [row] = await tx.query<{ last: number | null }>(
    'SELECT max(restatement_id) AS last FROM restatements',
  )
  let id = Number(row?.last ?? 0)
  for (let first = 0; first < changes.length; first += rowsPerStatement) {
    const some = changes.slice(first, first + rowsPerStatement)
    const marks = some.map(
      (_, i) => `(${Array.from({ length: width }, (_, j) => `$${i * width + j + 1}`).join(', ')})`,
    )
    await tx.query(
      `INSERT INTO restatements (${columns}) VALUES ${marks.join(', ')}
       ON CONFLICT (run_id, hour, advertiser_id, ad_id) DO NOTHING`,
      some.flatMap(({ hour, advertiser_id, ad_id, before, after }) => [
        ...[++id, publishedAt, runId, ruleSetOf(hour), reason, advertiser_id, ad_id, hour],
        ...[JSON.stringify(before), JSON.stringify(after)],
      ]),
    )
  }
}
