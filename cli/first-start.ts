// What a new installation gets: the defaults, an admin key, and a demo ad to click on.
import { createApiKey } from '#platform/api-keys.ts'
import { upsertAds } from '#platform/catalogue/ads.ts'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'

export const demo = {
  advertiser: 'demo-advertiser',
  campaign: 'demo-campaign',
  ad: 'demo-ad',
  publisher: 'demo-publisher',
  slot: 'demo-slot',
} as const

async function ensureDemo(catalogue: Catalogue, now: number): Promise<void> {
  await upsertAds(catalogue, now, [
    {
      line: 1,
      value: {
        ad_id: demo.ad,
        advertiser_id: demo.advertiser,
        campaign_id: demo.campaign,
        target_url: 'https://example.com/landing?click_id={click_id}',
        name: 'Demo ad',
        advertiser_name: 'Demo advertiser',
        campaign_name: 'Demo campaign',
      },
    },
  ])
  await catalogue.query(
    `INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, 'Demo publisher', $2)
     ON CONFLICT (publisher_id) DO NOTHING`,
    [demo.publisher, now],
  )
  await catalogue.query(
    `INSERT INTO placements (slot, publisher_id, ad_ids, created_at) VALUES ($1, $2, $3, $4)
     ON CONFLICT (slot) DO NOTHING`,
    [demo.slot, demo.publisher, JSON.stringify([demo.ad]), now],
  )
}

const firstKey = "SELECT 1 AS found FROM api_keys WHERE name = 'first start'"

export interface PrepareOptions {
  readonly settings: Settings
  readonly now: number
  /** Somebody sees the key that is made; otherwise making it waits for a start that shows it. */
  readonly showsKey: boolean
}

/**
 * Prepares the catalogue; on the first start also the demo ad and an admin key.
 * @returns the admin key where it is known: made just now, or given by the settings
 */
export async function prepareCatalogue(
  catalogue: Catalogue,
  { settings, now, showsKey }: PrepareOptions,
): Promise<string | undefined> {
  await ensureDefaults(catalogue, now)
  const given = settings.CLICKLEDGER_ADMIN_KEY
  if (given !== '') {
    await createApiKey(catalogue, now, { role: 'admin', name: 'CLICKLEDGER_ADMIN_KEY', key: given })
  }
  const [any] = await catalogue.query(firstKey)
  if (any || !showsKey) return given === '' ? undefined : given
  await ensureDemo(catalogue, now)
  // Several processes may start at once: one makes the key, and only that one shows it.
  const made = await catalogue.transaction(async (tx) => {
    const [theirs] = await tx.query(firstKey)
    return theirs ? undefined : createApiKey(tx, now, { role: 'admin', name: 'first start' })
  })
  return given === '' ? made : given
}
