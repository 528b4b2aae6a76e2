// The record of what publication has changed of final numbers, as the API and the webhook tell it.
import { places, type Queryable } from '#platform/catalogue/port.ts'

interface Row extends Record<string, unknown> {
  restatement_id: number
  published_at: number
  run_id: string
  rule_set: number
  reason: string
  advertiser_id: string
  ad_id: string
  hour: number
  before: string
  after: string
}

const iso = (time: number) => new Date(time).toISOString()
const describe = (row: Row) => ({
  advertiser_id: row.advertiser_id,
  ad_id: row.ad_id,
  hour: iso(Number(row.hour)),
  before: JSON.parse(row.before),
  after: JSON.parse(row.after),
  reason: row.reason,
  run_id: row.run_id,
  rule_set: Number(row.rule_set),
  published_at: iso(Number(row.published_at)),
})

/**
 * Restatements in the order of their publication.
 * @param after - `next` of an earlier read; 0: from the beginning
 * @param advertiserIds - empty: of all
 */
export async function readRestatements(
  catalogue: Queryable,
  after: number,
  advertiserIds: readonly string[],
  limit: number,
) {
  const own =
    advertiserIds.length === 0 ? '' : `AND advertiser_id IN (${places(advertiserIds.length, 3)})`
  const rows = await catalogue.query<Row>(
    `SELECT * FROM restatements WHERE restatement_id > $1 ${own}
     ORDER BY restatement_id LIMIT $2`,
    [after, limit, ...advertiserIds],
  )
  return { data: rows.map(describe), next: Number(rows.at(-1)?.restatement_id ?? after) }
}
