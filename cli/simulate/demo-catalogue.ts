// The advertisers, campaigns, ads, publishers and slots of the simulation: the same at each start, so
// that making them again changes nothing.
import type { Api } from '../api.ts'

const advertisers = [
  { id: 'demo-sneakers', name: 'Northbound Sneakers', campaigns: ['spring', 'outlet', 'retarget'] },
  { id: 'demo-travel', name: 'Farther Travel', campaigns: ['city-breaks', 'last-minute'] },
  { id: 'demo-games', name: 'Pocket Dragons', campaigns: ['launch', 'season-2', 'installs'] },
  { id: 'demo-bank', name: 'Harbour Bank', campaigns: ['savings', 'cards'] },
  { id: 'demo-coffee', name: 'Slow Roast Coffee', campaigns: ['subscription', 'gift'] },
] as const
const adsPerCampaign = 4

const publishers = [
  { publisher_id: 'pub-daily-news', name: 'The Daily News' },
  { publisher_id: 'pub-weather', name: 'Weather Now' },
  { publisher_id: 'pub-recipes', name: 'Good Recipes' },
  { publisher_id: 'pub-sports', name: 'Sports Live' },
  { publisher_id: 'pub-video', name: 'Clip Channel' },
  { publisher_id: 'pub-games', name: 'Arcade Portal' },
] as const

export interface DemoAd {
  readonly ad_id: string
  readonly advertiser_id: string
  readonly advertiser_name: string
  readonly campaign_id: string
  readonly name: string
  readonly target_url: string
}

function adsOf({ id, name, campaigns }: (typeof advertisers)[number]): DemoAd[] {
  return campaigns.flatMap((campaign) =>
    Array.from({ length: adsPerCampaign }, (_, i) => ({
      ad_id: `${id}-${campaign}-${i + 1}`,
      advertiser_id: id,
      advertiser_name: name,
      campaign_id: `${id}-${campaign}`,
      name: `${name}: ${campaign} ${i + 1}`,
      target_url: `https://example.com/${id}/${campaign}?click={click_id}`,
    })),
  )
}

/** Ads of all advertisers in turn, so that the hottest few are not all of the same one. */
function inTurn(lists: readonly (readonly DemoAd[])[]): DemoAd[] {
  const longest = Math.max(...lists.map((list) => list.length))
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat()
}

export const demoAds: readonly DemoAd[] = inTurn(advertisers.map(adsOf))
export const demoPublisherIds: readonly string[] = publishers.map((p) => p.publisher_id)
export const demoSlots = publishers.slice(0, 4).map(({ publisher_id }, i) => ({
  slot: `${publisher_id}-top`,
  publisher_id,
  ad_ids: demoAds.filter((_, n) => n % 4 === i).map((ad) => ad.ad_id),
}))

/** Makes them. Needs an admin key. */
export async function createDemoCatalogue(api: Api): Promise<void> {
  await api.post('/v1/ads', demoAds)
  for (const publisher of publishers) await api.post('/v1/publishers', publisher)
  for (const slot of demoSlots) await api.post('/v1/placements', slot)
}
