// A click as JSON (POST body, line of an import) -> checked values, or a reason. Unknown fields are
// refused by name: a misspelt `pubisher_id` would otherwise be billed to nobody, silently.
import { admitEventTime } from '#core/event-time.ts'
import { parseEventId } from '#core/identity.ts'
import { clickJsonFields } from '#schemas/click-json.ts'
import type { ErrorCode } from '#schemas/errors.ts'
import { admission, limits } from '#schemas/limits.ts'
import { canonicalAddress } from './network.ts'
import { cleanText, isId } from './text.ts'

/** Checked fields. Empty: absent. */
export interface ParsedClick {
  readonly event_id: string
  readonly ad_id: string
  readonly campaign_id: string
  readonly publisher_id: string
  readonly impression_id: string
  readonly user_id: string
  readonly address: string
  readonly user_agent: string
  readonly referrer_url: string
  /** Undefined: now. */
  readonly event_time: number | undefined
  readonly additional_params: Readonly<Record<string, string>> | undefined
}

export interface Reject {
  readonly kind: 'reject'
  readonly reason: ErrorCode
  readonly detail: string
}

export type ParseResult = { readonly kind: 'click'; readonly click: ParsedClick } | Reject

export interface ParsePolicy {
  /** Whether the caller may name an address other than its own. */
  readonly mayNameAddress: boolean
  /** Imports take any time since 2000. */
  readonly isImport: boolean
  readonly now: number
}

/** Nothing was clicked on the web of ads before: an earlier time is a wrong unit. */
const importTimeMin = Date.UTC(2000, 0, 1)

const known: ReadonlySet<string> = new Set(clickJsonFields)

export const reject = (reason: ErrorCode, detail: string): Reject => ({
  kind: 'reject',
  reason,
  detail,
})

/** Thrown and caught inside this module only: it keeps the checks in one line each. */
class Refused {
  readonly reject: Reject
  constructor(reason: ErrorCode, detail: string) {
    this.reject = reject(reason, detail)
  }
}

/** Checks one click. */
export function parseClick(value: unknown, policy: ParsePolicy): ParseResult {
  try {
    return { kind: 'click', click: parse(value, policy) }
  } catch (error) {
    if (error instanceof Refused) return error.reject
    throw error
  }
}

function parse(value: unknown, policy: ParsePolicy): ParsedClick {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refused('bad-request', 'a click is a JSON object')
  }
  const row = value as Readonly<Record<string, unknown>>
  const stranger = Object.keys(row).find((name) => !known.has(name))
  if (stranger !== undefined) {
    const shown = JSON.stringify(stranger.slice(0, limits.idCharsMax))
    throw new Refused('bad-request', `unknown field ${shown}; known: ${clickJsonFields.join(', ')}`)
  }
  const ad_id = idOf(row, 'ad_id')
  if (ad_id === '') throw new Refused('bad-request', 'ad_id is missing')
  return {
    event_id: eventIdOf(row),
    ad_id,
    campaign_id: idOf(row, 'campaign_id'),
    publisher_id: idOf(row, 'publisher_id'),
    impression_id: idOf(row, 'impression_id'),
    user_id: userIdOf(row),
    address: addressOf(row, policy),
    user_agent: cleanText(textOf(row, 'user_agent'), limits.userAgentCharsMax),
    referrer_url: cleanText(textOf(row, 'referrer_url'), limits.referrerCharsMax),
    event_time: eventTimeOf(row, policy),
    additional_params: paramsOf(row.additional_params),
  }
}

function textOf(row: Readonly<Record<string, unknown>>, name: string): string {
  const value = row[name] ?? ''
  if (typeof value !== 'string') throw new Refused('bad-request', `${name} must be a string`)
  return value
}

function idOf(row: Readonly<Record<string, unknown>>, name: string): string {
  const id = textOf(row, name)
  if (id === '' || isId(id)) return id
  const form = `1 to ${limits.idCharsMax} of the characters A-Z a-z 0-9 . _ : @ -`
  throw new Refused('bad-request', `${name} must be ${form}`)
}

function eventIdOf(row: Readonly<Record<string, unknown>>): string {
  const text = textOf(row, 'event_id')
  if (text === '') return ''
  const id = parseEventId(text)
  if (id === undefined) throw new Refused('bad-request', 'event_id must be a UUID')
  return id
}

function userIdOf(row: Readonly<Record<string, unknown>>): string {
  const id = textOf(row, 'user_id') // any text: only its hash is kept
  if (id.length <= limits.idCharsMax) return id.toWellFormed()
  throw new Refused('bad-request', `user_id is longer than ${limits.idCharsMax} characters`)
}

function addressOf(row: Readonly<Record<string, unknown>>, policy: ParsePolicy): string {
  const text = textOf(row, 'ip_address')
  if (text === '') return ''
  if (!policy.mayNameAddress) {
    const roles = 'publisher, engineer or admin'
    throw new Refused('forbidden', `ip_address needs an API key with role ${roles}`)
  }
  const address = canonicalAddress(text)
  if (address === undefined) throw new Refused('bad-request', 'ip_address must be an IP address')
  return address
}

function eventTimeOf(
  row: Readonly<Record<string, unknown>>,
  { isImport, now }: ParsePolicy,
): number | undefined {
  const time = row.timestamp_ms ?? undefined
  if (time === undefined) return undefined
  if (typeof time !== 'number' || !Number.isSafeInteger(time)) {
    throw new Refused('bad-request', 'timestamp_ms must be whole milliseconds since 1970')
  }
  if (!isImport) {
    const admitted = admitEventTime(time, now)
    if (admitted.kind === 'reject') throw new Refused(admitted.reason, `timestamp_ms is ${time}`)
  } else if (time < importTimeMin) {
    throw new Refused('event-too-old', 'timestamp_ms is before the year 2000; its unit is ms')
  } else if (time > now + admission.futureMs) {
    throw new Refused('event-in-future', `timestamp_ms is ${time}`)
  }
  return time
}

function paramsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new Refused('bad-request', 'additional_params must be an object of strings')
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return undefined
  if (entries.length > limits.additionalParamsMax) {
    throw new Refused(
      'bad-request',
      `additional_params has over ${limits.additionalParamsMax} entries`,
    )
  }
  const max = limits.additionalParamCharsMax
  const clean = entries.map(([name, text]): [string, string] => {
    if (typeof text !== 'string' || text.length > max || name.length > max) {
      throw new Refused(
        'bad-request',
        `additional_params must hold strings of at most ${max} characters`,
      )
    }
    return [cleanText(name, max), cleanText(text, max)]
  })
  return Object.fromEntries(clean)
}
