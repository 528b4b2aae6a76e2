// --create-ads: every ad that a file names exists before its clicks are sent. Ads that exist are left
// alone: an import must not replace a real target by an example, nor move an ad between advertisers.
import { ClickledgerError } from '#schemas/errors.ts'
import type { Api } from '../api.ts'
import { type AdOwner, type Rejected, reject } from './click.ts'

const pageAds = 1_000
const adsPerCall = 500
/** Ads that an import with --create-ads can know of: about 100 MB. */
const knownAdsMax = 1_000_000

export interface AdOfClick {
  readonly adId: string
  readonly owner: AdOwner
}

export interface KnownAds {
  /** Why a click of this ad cannot be taken; undefined: it can. Remembers ads that must be made. */
  check(ad: AdOfClick): Rejected | undefined
  /** Makes the ads remembered since the last time. @returns all that serving has refused so far, by id */
  createMissing(): Promise<ReadonlyMap<string, Rejected>>
  readonly created: number
  wasCreated(adId: string): boolean
}

interface Answer {
  readonly rejected: readonly { line: number; reason: string; detail: string }[]
}

async function listAds(api: Api): Promise<Map<string, string>> {
  const owners = new Map<string, string>()
  let after = ''
  for (;;) {
    const query = { limit: pageAds, ...(after === '' ? {} : { after }) }
    const page = await api.read('getAds', { query })
    for (const ad of page.data) owners.set(ad.ad_id, ad.advertiser_id)
    const last = page.data.at(-1)
    if (!last || page.data.length < pageAds || last.ad_id === after) return owners
    after = last.ad_id
    refuseTooMany(owners)
  }
}

function refuseTooMany(owners: ReadonlyMap<string, string>): void {
  if (owners.size <= knownAdsMax) return
  throw new ClickledgerError(
    'payload-too-large',
    `--create-ads can handle ${knownAdsMax} ads: create them with \`clickledger ads import\` instead`,
  )
}

/**
 * @param advertiserId - owner of the ads that are made; undefined: the file says it
 */
export async function createKnownAds(
  api: Api,
  advertiserId: string | undefined,
): Promise<KnownAds> {
  const owners = await listAds(api)
  const made = new Set<string>()
  // Kept: rows are read ahead, so a later batch may hold an ad that was refused with an earlier one.
  const refused = new Map<string, Rejected>()
  let missing = new Map<string, object>()

  return {
    get created() {
      return made.size
    },
    wasCreated: (adId) => made.has(adId),
    check({ adId, owner }) {
      const before = refused.get(adId)
      if (before) return before
      const wanted = advertiserId ?? owner.advertiser_id
      const known = owners.get(adId)
      if (known !== undefined) {
        if (advertiserId === undefined || known === advertiserId) return undefined
        return reject('foreign-ad', `ad ${adId} belongs to advertiser ${known}`)
      }
      if (wanted === undefined)
        return reject('missing-field', `ad ${adId} is new and has no advertiser`)
      owners.set(adId, wanted)
      refuseTooMany(owners)
      missing.set(adId, {
        ad_id: adId,
        advertiser_id: wanted,
        ...(owner.campaign_id ? { campaign_id: owner.campaign_id } : {}),
        target_url: `https://example.com/${encodeURIComponent(adId)}`,
      })
      return undefined
    },
    async createMissing() {
      const ads = [...missing]
      missing = new Map()
      for (let i = 0; i < ads.length; i += adsPerCall) {
        const some = ads.slice(i, i + adsPerCall)
        const answer = (await api.post(
          '/v1/ads',
          some.map(([, ad]) => ad),
        )) as Answer
        for (const { line, reason, detail } of answer.rejected) {
          const adId = some[line - 1]?.[0] // lines count from 1
          if (adId !== undefined) refused.set(adId, { kind: 'reject', reason, detail })
        }
      }
      for (const [id] of ads) {
        if (!refused.has(id)) made.add(id)
      }
      return refused
    },
  }
}
