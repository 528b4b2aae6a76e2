// Stamps a click's facts: the one function behind redirect, pixel, POST and import. Facts are
// stamped once, here, because only ingest still has the address; judging comes later, twice.
import { randomFillSync } from 'node:crypto'
import { keyedHash, timedUuid, visitorOf } from '#core/identity.ts'
import { dimensions } from '#schemas/dimensions.ts'
import type { RawClick } from '#schemas/fields.ts'
import { joinMarks, type Mark } from '#schemas/verdicts.ts'
import { type AddressFacts, noAddress } from './addresses.ts'
import type { Ad } from './ads.ts'
import type { Agent } from './agents.ts'

/** Values of the dimension `source`. */
export type Source = 'redirect' | 'pixel' | 'api' | 'import'

/** What a request says of a click, checked and cut to the limits. Empty: not said. */
export interface ClickInput {
  readonly ad: Ad
  readonly source: Source
  /** A UUID in lower case; empty: one is made. */
  readonly event_id: string
  readonly event_time: number
  /** Of a clock that never goes back: the order of the write-ahead log is the order of these. */
  readonly received_time: number
  readonly publisher_id: string
  readonly impression_id: string
  /** Personal: only its hash is kept, and only where `mayIdentify`. */
  readonly user_id: string
  readonly mayIdentify: boolean
  /** Canonical address; empty: unknown. */
  readonly address: string
  readonly user_agent: string
  readonly referrer_url: string
  readonly additional_params: Readonly<Record<string, string>> | undefined
  readonly isPrefetch: boolean
  readonly signatureMark: Mark | undefined
}

export interface FactsOptions {
  readonly addressFacts: (address: string) => AddressFacts
  readonly agentOf: (userAgent: string) => Agent
  readonly userKey: Uint8Array
  readonly node: string
}

const customDimensions: readonly string[] = dimensions
  .filter((d) => 'fromParam' in d)
  .map((d) => d.name)

export type StampFacts = (input: ClickInput) => RawClick

export function createFactStamper(options: FactsOptions): StampFacts {
  const { addressFacts, agentOf, userKey, node } = options
  const newEventId = createEventIds()
  return (input) => {
    const address = input.address === '' ? noAddress : addressFacts(input.address)
    const agent = agentOf(input.user_agent)
    const userHash = input.mayIdentify ? keyedHash(userKey, input.user_id) : ''
    const params = input.additional_params
    const click = {
      event_id: input.event_id === '' ? newEventId(input.event_time) : input.event_id,
      event_time: input.event_time,
      received_time: input.received_time,
      advertiser_id: input.ad.advertiser_id,
      campaign_id: input.ad.campaign_id,
      ad_id: input.ad.ad_id,
      publisher_id: input.publisher_id,
      country: address.country,
      region: address.region,
      city: address.city,
      device_type: agent.device_type,
      os: agent.os,
      browser: agent.browser,
      source: input.source,
      visitor: visitorOf(userHash, address.ip_hash, input.user_agent),
      ip_hash: address.ip_hash,
      user_hash: userHash,
      impression_id: input.impression_id,
      ip_prefix: address.ip_prefix,
      user_agent: input.user_agent,
      referrer_url: input.referrer_url,
      marks: marksOf(input, address, agent),
      additional_params: params ? JSON.stringify(params) : '',
      ingest_node: node,
    }
    const custom: Record<string, unknown> = click
    for (const name of customDimensions) custom[name] = params?.[name] ?? ''
    return click as RawClick
  }
}

function marksOf(input: ClickInput, address: AddressFacts, agent: Agent): string {
  const isPrefetch = input.isPrefetch || agent.isPreview
  // Most clicks carry none: no set is made for them.
  if (!address.isBlocked && !agent.isBot && !isPrefetch && !input.signatureMark) return ''
  const marks: Mark[] = []
  if (address.isBlocked) marks.push('blocked-ip')
  if (agent.isBot) marks.push('bot-user-agent')
  if (isPrefetch) marks.push('prefetch')
  if (input.signatureMark) marks.push(input.signatureMark)
  return joinMarks(marks)
}

const uuidRandomBytes = 10
const randomPoolBytes = 400 * uuidRandomBytes

/** Random event ids that begin with the event time. */
export function createEventIds(): (eventTime: number) => string {
  // One system call for 400 ids.
  const pool = new Uint8Array(randomPoolBytes)
  let at = randomPoolBytes
  return (eventTime) => {
    if (at === randomPoolBytes) {
      randomFillSync(pool)
      at = 0
    }
    const id = timedUuid(7, eventTime, pool, at)
    at += uuidRandomBytes
    return id
  }
}
