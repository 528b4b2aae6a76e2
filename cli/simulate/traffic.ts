// What they do: each call of `next` is one click, or a click and its echoes. A plan, not a deed: the
// schedule sends it (run-simulation.ts). The shares below add up to 1 with plain redirects as the rest.
import type { ClickRequest } from '../click-client.ts'
import { demoAds, demoPublisherIds, demoSlots } from './demo-catalogue.ts'
import { createRandom, createZipf, pick, type Random } from './random.ts'
import {
  addressIn,
  createCountryChoice,
  createVisitors,
  robotAgents,
  type Visitor,
} from './visitors.ts'

const shares = { pixel: 0.1, placement: 0.15, post: 0.12, robot: 0.04, prefetch: 0.01 } as const
const doubleClickShare = 0.05
/** Clicks that name the ad view they come from. */
const impressionShare = 0.8
const floodShare = 0.0008
const countryChoiceMs = 60_000

/** A click, or a visit to a slot and a click on what it shows. */
export type Shot =
  | { readonly kind: 'click'; readonly request: ClickRequest }
  | { readonly kind: 'slot'; readonly request: ClickRequest }

export interface Echo {
  readonly shot: Shot
  readonly afterMs: number
}

export interface Plan {
  readonly shot: Shot
  /** Double clicks and the rest of a flood. */
  readonly echoes: readonly Echo[]
}

const headersOf = (visitor: Visitor) => ({
  'user-agent': visitor.userAgent,
  'x-forwarded-for': visitor.ip,
  referer: 'https://publisher.example/',
})

function clickPath(base: string, params: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(params))
    if (value !== undefined) query.set(name, value)
  return `${base}?${query}`
}

/** How late a posted click is: mostly seconds, sometimes minutes, now and then hours. */
function lateness(random: Random): number {
  const kind = random()
  const ms = kind < 0.8 ? 20_000 : kind < 0.96 ? 10 * 60_000 : 2 * 3_600_000
  return Math.floor(random() * ms)
}

export function createTraffic(seed: number) {
  const random = createRandom(seed)
  const visitors = createVisitors(random)
  const adOf = createZipf(demoAds)
  const publisherOf = createZipf(demoPublisherIds, 0.8)
  let countryOf = createCountryChoice(0)
  let chosenAt = Number.NEGATIVE_INFINITY
  let impressions = 0

  const visitorAt = (now: number): Visitor => {
    if (now - chosenAt >= countryChoiceMs) {
      countryOf = createCountryChoice(now)
      chosenAt = now
    }
    return pick(random, visitors.get(countryOf(random).code) ?? [])
  }
  const impression = () => `sim-${seed.toString(36)}-${(impressions++).toString(36)}`
  const get = (visitor: Visitor, path: string, more = {}): ClickRequest => ({
    method: 'GET',
    path,
    headers: { ...headersOf(visitor), ...more },
  })
  const clickParams = (visitor: Visitor) => ({
    publisher_id: publisherOf(random),
    impression_id: random() < impressionShare ? impression() : undefined,
    user_id: visitor.userId,
  })
  const redirect = (visitor: Visitor, more = {}): ClickRequest =>
    get(visitor, clickPath(`/click/${adOf(random).ad_id}`, clickParams(visitor)), more)
  const pixel = (visitor: Visitor): ClickRequest =>
    get(visitor, clickPath('/track/click', { ad_id: adOf(random).ad_id, ...clickParams(visitor) }))
  const post = (visitor: Visitor, now: number): ClickRequest => ({
    method: 'POST',
    path: '/track/click_event',
    headers: { ...headersOf(visitor), 'content-type': 'application/json' },
    body: JSON.stringify({
      ad_id: adOf(random).ad_id,
      ...clickParams(visitor),
      user_agent: visitor.userAgent,
      timestamp_ms: now - lateness(random),
    }),
  })

  const oneClick = (now: number): Shot => {
    const visitor = visitorAt(now)
    let at = random()
    const isIn = (share: number) => {
      at -= share
      return at < 0
    }
    if (isIn(shares.pixel)) return { kind: 'click', request: pixel(visitor) }
    if (isIn(shares.placement)) {
      return { kind: 'slot', request: get(visitor, `/placements/${pick(random, demoSlots).slot}`) }
    }
    if (isIn(shares.post)) return { kind: 'click', request: post(visitor, now) }
    if (isIn(shares.robot)) {
      const robot = { ...visitor, userAgent: pick(random, robotAgents) }
      return { kind: 'click', request: redirect(robot) }
    }
    if (isIn(shares.prefetch)) {
      return { kind: 'click', request: redirect(visitor, { 'sec-purpose': 'prefetch' }) }
    }
    return { kind: 'click', request: redirect(visitor) }
  }

  /** One address on one ad, many times within a minute: the agents differ, the address does not. */
  const flood = (now: number): Plan => {
    const ip = addressIn(random, '105.112')
    const { ad_id } = adOf(random)
    const shot = (): Shot => {
      const visitor = { ...visitorAt(now), ip, userId: undefined }
      return {
        kind: 'click',
        request: get(visitor, clickPath(`/click/${ad_id}`, clickParams(visitor))),
      }
    }
    const size = 25 + Math.floor(random() * 35)
    const echoes = Array.from({ length: size }, () => ({
      shot: shot(),
      afterMs: random() * 50_000,
    }))
    return { shot: shot(), echoes }
  }

  return {
    /** The next click. @param now - ms; decides who is awake, and the times of posted clicks */
    next(now: number): Plan {
      if (random() < floodShare) return flood(now)
      const shot = oneClick(now)
      const again = shot.kind === 'click' && random() < doubleClickShare
      return { shot, echoes: again ? [{ shot, afterMs: 100 + random() * 2_500 }] : [] }
    },
  }
}

export type Traffic = ReturnType<typeof createTraffic>
