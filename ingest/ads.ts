// Ads and placements as ingest needs them, out of the catalogue through a bounded memory and,
// where there is one, a cache that nodes share.
import { type CompiledTarget, compileTarget } from '#core/macros.ts'
import { targetFault } from '#platform/catalogue/ads.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
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

export function createPlacementDirectory(
  catalogue: Queryable,
  share: ShareRows,
): Directory<Placement> {
  return createDirectory(
    share('placement', isPlacement, async (slot) => {
      const [row] = await catalogue.query<{ publisher_id: string; ad_ids: string }>(
        'SELECT publisher_id, ad_ids FROM placements WHERE slot = $1',
        [slot],
      )
      return row && { slot, publisher_id: row.publisher_id, ad_ids: JSON.parse(row.ad_ids) }
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
