// Ads and placements as ingest needs them, out of the catalogue through a bounded memory.
import { type CompiledTarget, compileTarget } from '#core/macros.ts'
import { targetFault } from '#platform/catalogue/ads.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { createDirectory, type Directory } from './directory.ts'

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

export function createAdDirectory(catalogue: Queryable): Directory<Ad> {
  return createDirectory(async (adId) => {
    const [row] = await catalogue.query<AdRow>(
      `SELECT a.ad_id, a.advertiser_id, a.campaign_id, a.target_url, o.signed_only
       FROM ads a JOIN advertisers o ON o.advertiser_id = a.advertiser_id WHERE a.ad_id = $1`,
      [adId],
    )
    if (!row) return undefined
    const { ad_id, advertiser_id, campaign_id, target_url, signed_only } = row
    const target = allowedTarget(target_url)
    return { ad_id, advertiser_id, campaign_id, target, signedOnly: Number(signed_only) !== 0 }
  })
}

export function createPlacementDirectory(catalogue: Queryable): Directory<Placement> {
  return createDirectory(async (slot) => {
    const [row] = await catalogue.query<{ publisher_id: string; ad_ids: string }>(
      'SELECT publisher_id, ad_ids FROM placements WHERE slot = $1',
      [slot],
    )
    if (!row) return undefined
    return { slot, publisher_id: row.publisher_id, ad_ids: JSON.parse(row.ad_ids) }
  })
}
