// GET /placements/{slot}: an ad for a place on a page, with a fresh impression and a signed click
// URL. Each answer is another impression: it must not be cached.
import { randomInt } from 'node:crypto'
import { buildClickUrl, type SigningKeys } from '#core/signing.ts'
import type { Ad, Placement } from '../ads.ts'
import type { Answers } from '../answer.ts'
import type { Directory } from '../directory.ts'
import { createEventIds } from '../facts.ts'
import { isId } from '../text.ts'
import type { Visit } from '../visit.ts'

/** How long a click on an impression counts; the default rules look back as far for repeats. */
const impressionSeconds = 86_400

export interface PlacementOptions {
  readonly ads: Directory<Ad>
  readonly placements: Directory<Placement>
  readonly keys: SigningKeys
  readonly answers: Answers
  /** How browsers reach this node; known once it listens. */
  publicUrl(): string
  now(): number
}

export function createPlacements(options: PlacementOptions) {
  const { ads, placements, keys, answers, now } = options
  const newImpressionId = createEventIds()
  return async ({ response }: Visit, slot: string): Promise<void> => {
    const placement = isId(slot) ? await placements.get(slot) : undefined
    if (!placement) return answers.problem(response, 'not-found', 'there is no such placement')
    const ids = placement.ad_ids
    const adId = ids.length === 0 ? undefined : ids[randomInt(ids.length)]
    const ad = adId === undefined ? undefined : await ads.get(adId)
    if (!ad) return answers.problem(response, 'unknown-ad', `the placement has no ad to show`)
    const issued = Math.floor(now() / 1000)
    const click = {
      ad_id: ad.ad_id,
      publisher_id: placement.publisher_id,
      impression_id: newImpressionId(now()),
      issued_at: issued,
      expires_at: issued + impressionSeconds,
    }
    answers.json(response, 200, {
      slot,
      ad_id: ad.ad_id,
      campaign_id: ad.campaign_id,
      publisher_id: placement.publisher_id,
      impression_id: click.impression_id,
      click_url: buildClickUrl(options.publicUrl(), keys, click),
      expires_at: new Date(click.expires_at * 1000).toISOString(),
    })
  }
}
