// Ads and placements as ingest needs them, out of the catalogue through a bounded memory and,
// where there is one, a cache that nodes share.
import { type CompiledTarget, compileTarget } from '#core/macros.ts'
import { targetFault } from '#platform/catalogue/ads.ts'
import { places, type Queryable } from '#platform/catalogue/port.ts'
import { createDirectory, type Directory } from './directory.ts'
import type { ShareRows } from './shared-rows.ts'

export interface Ad {
  readonly ad_id: string
  readonly advertiser_id: string
  readonly campaign_id: string
  /** Undefined where the catalogue holds something that must not be redirected to. */
  readonly target: CompiledTarget | undefined
  /** The advertiser counts signed clicks only: others get the mark bad-signature. */
  readonly signedOnly: boolean
}

export interface Placement {
  readonly slot: string
  readonly publisher_id: string
  readonly ad_ids: readonly string[]
}

interface AdRow {
  ad_id: string
  advertiser_id: string
  campaign_id: string
  target_url: string
  signed_only: number
}

/** Compiles a target; undefined where it is not allowed. */
export function allowedTarget(url: string): CompiledTarget | undefined {
  return targetFault(url) === undefined ? compileTarget(url) : undefined
}

/** @param share - how nodes share what they loaded */
export function createAdDirectory(catalogue: Queryable, share: ShareRows): Directory<Ad> {
  const rowOf = share('ad', isAdRow, async (adId) => {
    const [row] = await catalogue.query<AdRow>(
      `SELECT a.ad_id, a.advertiser_id, a.campaign_id, a.target_url, o.signed_only
       FROM ads a JOIN advertisers o ON o.advertiser_id = a.advertiser_id WHERE a.ad_id = $1`,
      [adId],
    )
    return row
  })
  return createDirectory(async (adId) => {
    const { value: row, ageMs } = await rowOf(adId)
    return { value: row && toAd(row), ageMs }
  })
}

function toAd({ ad_id, advertiser_id, campaign_id, target_url, signed_only }: AdRow): Ad {
  const target = allowedTarget(target_url)
  return { ad_id, advertiser_id, campaign_id, target, signedOnly: Number(signed_only) !== 0 }
}

const isAdRow = (value: object): value is AdRow => {
  const row = value as Partial<AdRow>
  const texts = [row.ad_id, row.advertiser_id, row.campaign_id, row.target_url]
  return texts.every((text) => typeof text === 'string') && [0, 1].includes(Number(row.signed_only))
}

/** Ads that are still offered; clicks on the others redirect and count as before. */
async function withoutArchived(catalogue: Queryable, adIds: readonly string[]): Promise<string[]> {
  const archived = await catalogue.query<{ ad_id: string }>(
    `SELECT a.ad_id FROM ads a
     JOIN advertisers o ON o.advertiser_id = a.advertiser_id
     LEFT JOIN campaigns c ON c.campaign_id = a.campaign_id
     WHERE a.ad_id IN (${places(adIds.length)})
       AND coalesce(a.archived_at, o.archived_at, c.archived_at) IS NOT NULL`,
    adIds,
  )
  const gone = new Set(archived.map(({ ad_id }) => ad_id))
  return adIds.filter((id) => !gone.has(id))
}

export function createPlacementDirectory(
  catalogue: Queryable,
  share: ShareRows,
): Directory<Placement> {
  return createDirectory(
    share('placement', isPlacement, async (slot) => {
      const [row] = await catalogue.query<{ publisher_id: string; ad_ids: string }>(
        `SELECT p.publisher_id, p.ad_ids FROM placements p
         JOIN publishers o ON o.publisher_id = p.publisher_id
         WHERE p.slot = $1 AND p.archived_at IS NULL AND o.archived_at IS NULL`,
        [slot],
      )
      if (!row) return undefined
      const adIds = await withoutArchived(catalogue, JSON.parse(row.ad_ids))
      return { slot, publisher_id: row.publisher_id, ad_ids: adIds }
    }),
  )
}

const isPlacement = (value: object): value is Placement => {
  const { slot, publisher_id, ad_ids } = value as Partial<Placement>
  return (
    typeof slot === 'string' &&
    typeof publisher_id === 'string' &&
    Array.isArray(ad_ids) &&
    ad_ids.every((id) => typeof id === 'string')
  )
}
