// Many ads at once: what they meet is read with a few statements, decided here row by row in their
// order, and written with a few. Only inside one transaction: nobody else may write in between.
import type { AdInput } from './ads.ts'
import { places, type Queryable } from './port.ts'

/** Rows of one statement: far below what either database takes as parameters (32,766; 65,535). */
const rowsPerStatement = 250

function* chunksOf<T>(all: readonly T[]): Generator<T[]> {
  for (let i = 0; i < all.length; i += rowsPerStatement) yield all.slice(i, i + rowsPerStatement)
}

interface StoredAd {
  readonly ad_id: string
  readonly advertiser_id: string
  readonly campaign_id: string
  readonly name: string
  readonly target_url: string
}

/** What a batch of ads meets in the catalogue, and what it leaves there: all by id. */
export interface Batch {
  readonly ads: Map<string, StoredAd>
  /** Advertiser of each campaign. */
  readonly campaigns: Map<string, string>
  /** Ids of ads to write: those that are no longer as they were stored. */
  readonly changed: Set<string>
  /** Advertisers and campaigns that were named, with the last name given, if any. */
  readonly advertiserNames: Map<string, string | undefined>
  readonly campaignNames: Map<string, string | undefined>
}

/** Reads what the ads of a batch meet. */
export async function readBatch(tx: Queryable, ads: readonly AdInput[]): Promise<Batch> {
  const adIds = [...new Set(ads.map((ad) => ad.ad_id))]
  const campaignIds = [...new Set(ads.flatMap((ad) => ad.campaign_id || []))]
  const stored: StoredAd[] = []
  const campaigns = new Map<string, string>()
  for (const ids of chunksOf(adIds)) {
    const sql = `SELECT ad_id, advertiser_id, campaign_id, name, target_url FROM ads WHERE ad_id IN (${places(ids.length)})`
    stored.push(...(await tx.query<StoredAd>(sql, ids)))
  }
  for (const ids of chunksOf(campaignIds)) {
    const sql = `SELECT campaign_id, advertiser_id FROM campaigns WHERE campaign_id IN (${places(ids.length)})`
    const rows = await tx.query<{ campaign_id: string; advertiser_id: string }>(sql, ids)
    for (const row of rows) campaigns.set(row.campaign_id, row.advertiser_id)
  }
  return {
    ads: new Map(stored.map((ad) => [ad.ad_id, ad])),
    campaigns,
    changed: new Set(),
    advertiserNames: new Map(),
    campaignNames: new Map(),
  }
}

/** An ad that belongs to another advertiser, or wants a campaign that does. */
export function ownerFault(batch: Batch, ad: AdInput): string | undefined {
  const owner = batch.ads.get(ad.ad_id)?.advertiser_id
  if (owner !== undefined && owner !== ad.advertiser_id) {
    return `ad ${ad.ad_id} belongs to another advertiser; make a new ad instead`
  }
  const campaignOwner = ad.campaign_id ? batch.campaigns.get(ad.campaign_id) : undefined
  return campaignOwner !== undefined && campaignOwner !== ad.advertiser_id
    ? `campaign ${ad.campaign_id} belongs to another advertiser`
    : undefined
}

const isSame = (a: StoredAd, b: StoredAd): boolean =>
  a.target_url === b.target_url && a.campaign_id === b.campaign_id && a.name === b.name

/** Takes an ad into the batch, as later rows of it shall find it. */
export function addToBatch(batch: Batch, ad: AdInput): void {
  const { ad_id, advertiser_id, target_url, campaign_id, name } = ad
  const { advertiser_name, campaign_name } = ad
  const before = batch.ads.get(ad_id)
  const { advertiserNames, campaignNames } = batch
  advertiserNames.set(advertiser_id, advertiser_name ?? advertiserNames.get(advertiser_id))
  if (campaign_id) {
    batch.campaigns.set(campaign_id, advertiser_id)
    campaignNames.set(campaign_id, campaign_name ?? campaignNames.get(campaign_id))
  }
  const after: StoredAd = {
    ...{ ad_id, advertiser_id, target_url },
    campaign_id: campaign_id ?? before?.campaign_id ?? '',
    name: name ?? before?.name ?? '',
  }
  batch.ads.set(ad_id, after)
  if (!before || !isSame(before, after)) batch.changed.add(ad_id)
}

/**
 * Inserts rows, many with one statement: a statement a row would wait for the network each time.
 * @param after - the rest of the statement: what to do with rows that exist
 */
async function insertRows(
  tx: Queryable,
  into: string,
  rows: readonly (readonly (string | number)[])[],
  after: string,
): Promise<void> {
  for (const some of chunksOf(rows)) {
    const width = some[0]?.length ?? 0
    const values = some.map((_, i) => `(${places(width, 1 + i * width)})`).join(', ')
    await tx.query(`INSERT INTO ${into} VALUES ${values} ${after}`, some.flat())
  }
}

/** Names that were given replace what is stored; without one, the id stands in for a new row's. */
async function writeNamed(
  tx: Queryable,
  table: 'advertisers' | 'campaigns',
  names: ReadonlyMap<string, string | undefined>,
  rowOf: (id: string, name: string) => (string | number)[],
): Promise<void> {
  const id = table === 'advertisers' ? 'advertiser_id' : 'campaign_id'
  const columns =
    table === 'advertisers'
      ? 'advertisers (advertiser_id, name, created_at)'
      : 'campaigns (campaign_id, name, created_at, advertiser_id)'
  const all = [...names]
  const unnamed = all.flatMap(([key, name]) => (name === undefined ? [rowOf(key, key)] : []))
  const named = all.flatMap(([key, name]) => (name === undefined ? [] : [rowOf(key, name)]))
  await insertRows(tx, columns, unnamed, `ON CONFLICT (${id}) DO NOTHING`)
  const after = `ON CONFLICT (${id}) DO UPDATE SET name = excluded.name,
    revision = ${table}.revision + 1 WHERE ${table}.name <> excluded.name`
  await insertRows(tx, columns, named, after)
}

/** Writes what was added. */
export async function writeBatch(tx: Queryable, now: number, batch: Batch): Promise<void> {
  const { ads, campaigns, changed, advertiserNames, campaignNames } = batch
  await writeNamed(tx, 'advertisers', advertiserNames, (id, name) => [id, name, now])
  await writeNamed(tx, 'campaigns', campaignNames, (id, name) => [
    ...[id, name, now],
    campaigns.get(id) ?? '',
  ])
  const rows = [...changed].flatMap((id) => {
    const ad = ads.get(id)
    if (!ad) return []
    return [[id, ad.advertiser_id, ad.campaign_id, ad.name, ad.target_url, now, now]]
  })
  await insertRows(
    tx,
    'ads (ad_id, advertiser_id, campaign_id, name, target_url, created_at, updated_at)',
    rows,
    `ON CONFLICT (ad_id) DO UPDATE SET target_url = excluded.target_url,
       campaign_id = excluded.campaign_id, name = excluded.name, updated_at = excluded.updated_at,
       revision = ads.revision + 1`,
  )
}
