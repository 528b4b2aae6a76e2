// A click in its JSON form (docs: "A click as JSON"), as files hold it and ingest takes it. Only what
// the import itself relies on is checked here; ingest checks the rest and answers row by row.
import type { ClickJson as Wire } from '#schemas/click-json.ts'

/** In a file each click has its time. */
export type ClickJson = Wire & { timestamp_ms: number }

/** Who owns the ad of a click, where the file says so; for --create-ads. */
export interface AdOwner {
  readonly advertiser_id?: string
  readonly campaign_id?: string
}

/** A row of a file that became a click. */
export interface MappedClick {
  readonly kind: 'click'
  readonly click: ClickJson
  readonly owner: AdOwner
}

export const rejectReasons = {
  'malformed-row': 'The line is too long, not JSON, or its quotes do not match.',
  'column-count': 'The row has another number of columns than the header or the mapping.',
  'missing-field': 'A field that every click needs is empty.',
  'bad-time': 'The time is not of the format that the mapping names.',
  'bad-ip': 'The IP address is not of the form that the mapping names.',
  'foreign-ad': 'The ad belongs to another advertiser than --advertiser.',
} as const

/** A row that cannot be used: a reason of the list above, or a code of ingest's answer. */
export interface Rejected {
  readonly kind: 'reject'
  readonly reason: string
  readonly detail: string
}

export function reject(reason: keyof typeof rejectReasons, detail: string): Rejected {
  return { kind: 'reject', reason, detail }
}
