// A click as JSON: the body of POST /track/click_event, a line of an import file. Unknown fields
// are refused; `additional_params` is the open place.

export interface ClickJson {
  /** A UUID; else the server makes one. A client that may send again should give it, and timestamp_ms. */
  event_id?: string
  ad_id: string
  campaign_id?: string
  publisher_id?: string
  impression_id?: string
  user_id?: string
  /** Imports and trusted keys only. */
  ip_address?: string
  user_agent?: string
  /** When the click happened, ms; else now. */
  timestamp_ms?: number
  referrer_url?: string
  additional_params?: Record<string, string>
}

export const clickJsonFields: readonly (keyof ClickJson)[] = [
  'event_id',
  'ad_id',
  'campaign_id',
  'publisher_id',
  'impression_id',
  'user_id',
  'ip_address',
  'user_agent',
  'timestamp_ms',
  'referrer_url',
  'additional_params',
]
