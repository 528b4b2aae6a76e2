// Made-up raw clicks as records of clicks.raw: skewed ads, double clicks, a few bots. Load, not real.

import { partitionKey } from '#core/identity.ts'
import type { NewRecord } from '#platform/event-log/port.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { blankRaw } from '../../tests/support/blank-clicks.ts'

/** A cheap deterministic hash of an integer, 0 <= h < 2^32. */
function scramble(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x45d9f3b)
  h = Math.imul(h ^ (h >>> 16), 0x45d9f3b)
  return (h ^ (h >>> 16)) >>> 0
}

const text12 = (prefix: string, n: number) => prefix + n.toString(36).padStart(11, '0')

/** Click number `n` of a stream of `perSecond` clicks that began at `start`. */
export function madeClick(n: number, start: number, perSecond: number): RawClick {
  const k = n % 12 === 1 ? n - 1 : n // every twelfth is a double click
  const h = scramble(k)
  const ad = Math.floor(10_000 * (h / 2 ** 32) ** 3)
  const time = start + Math.floor((n * 1000) / perSecond)
  return {
    ...blankRaw,
    event_id: `${n.toString(16).padStart(8, '0')}-0000-7000-8000-000000000000`,
    event_time: time,
    received_time: time,
    advertiser_id: `adv-${ad % 50}`,
    campaign_id: `cmp-${ad % 500}`,
    ad_id: `ad-${ad}`,
    publisher_id: `pub-${h % 200}`,
    country: 'US',
    device_type: 'mobile',
    os: 'Android',
    browser: 'Chrome',
    source: 'redirect',
    visitor: text12('v', h),
    ip_hash: text12('i', h >>> 1),
    impression_id: `imp-${k}`,
    ip_prefix: '192.0.2.0/24',
    user_agent:
      'Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/141.0 Mobile Safari/537.36',
    marks: h % 33 === 0 ? 'bot-user-agent' : '',
    ingest_node: 'bench',
  }
}

export function madeRecord(n: number, start: number, perSecond: number): NewRecord {
  const click = madeClick(n, start, perSecond)
  return {
    key: partitionKey(click.ad_id, click.ip_hash),
    value: encodeRawClick(click),
    timestamp: click.received_time,
  }
}
