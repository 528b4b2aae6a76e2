// POST /track/click_event (anybody, times of the last 7 days) and POST /import/clicks (engineers,
// any time since 2000): one click or many, each with a result of its own. The answer is sent when
// every click of the body is durable or refused.
import { partitionKey } from '#core/identity.ts'
import { bearerOf, type Principal, type Role } from '#platform/api-keys.ts'
import type { Tracer } from '#platform/tracing.ts'
import { ClickledgerError, type ErrorCode, errors } from '#schemas/errors.ts'
import type { RawClick } from '#schemas/fields.ts'
import { limits } from '#schemas/limits.ts'
import type { Ad } from '../ads.ts'
import type { Answers } from '../answer.ts'
import type { createBodyReader } from '../body.ts'
import { type Counters, countUp } from '../counters.ts'
import type { Directory } from '../directory.ts'
import type { StampFacts } from '../facts.ts'
import {
  type ParsedClick,
  type ParsePolicy,
  parseClick,
  type Reject,
  reject,
} from '../parse-click.ts'
import { mayIdentify, parseClickQuery } from '../request.ts'
import { toldOf } from '../told.ts'
import type { Visit } from '../visit.ts'
import type { WalWriter } from '../wal/writer.ts'

export interface TrackEventsOptions {
  readonly ads: Directory<Ad>
  readonly stamp: StampFacts
  readonly append: WalWriter['append']
  readonly answers: Answers
  readonly counters: Counters
  readonly tracer?: Tracer | undefined
  readonly lookupKey: (key: string) => Promise<Principal | undefined>
  readonly readJson: ReturnType<typeof createBodyReader>
  /** Takes from the limit of an address; false: over it. Good keys have none. */
  readonly allow: (address: string) => boolean
  now(): number
}

type ItemResult =
  | { readonly event_id: string; readonly accepted: true }
  | { readonly accepted: false; readonly reason: ErrorCode; readonly detail: string }

/** Who posts, and what follows from it. */
interface Sender {
  readonly principal: Principal | undefined
  /** Speaks for others: may name addresses, and its own address is not the visitor's. */
  readonly isTrusted: boolean
  readonly source: 'api' | 'import'
}

interface Checked {
  readonly click: ParsedClick
  readonly ad: Ad
}

const trustedRoles: readonly Role[] = ['publisher', 'engineer', 'admin']
const importRoles: readonly Role[] = ['engineer', 'admin']

export function createTrackEvents(options: TrackEventsOptions) {
  const { ads, append, answers, counters, now, readJson } = options

  const senderOf = async (visit: Visit, source: Sender['source']): Promise<Sender | ErrorCode> => {
    const { authorization } = visit.request.headers
    if (authorization === undefined && source === 'api') {
      return { principal: undefined, isTrusted: false, source }
    }
    const key = bearerOf(authorization)
    const principal = key === undefined ? undefined : await options.lookupKey(key)
    if (!principal) return options.allow(visit.client) ? 'unauthorized' : 'too-many-requests'
    if (source === 'import' && !importRoles.includes(principal.role)) return 'forbidden'
    return { principal, isTrusted: trustedRoles.includes(principal.role), source }
  }

  const check = async (value: unknown, sender: Sender, policy: ParsePolicy) => {
    const parsed = parseClick(value, policy)
    if (parsed.kind === 'reject') return parsed
    const { click } = parsed
    const owners = sender.principal?.publisherIds ?? []
    if (owners.length > 0 && click.publisher_id !== '' && !owners.includes(click.publisher_id)) {
      return reject('forbidden', `this key is for publisher_id ${owners.join(' or ')} only`)
    }
    if (owners.length > 1 && click.publisher_id === '') {
      return reject('bad-request', `publisher_id: say which of ${owners.join(', ')}`)
    }
    const [owner = ''] = owners
    try {
      const ad = ads.peek(click.ad_id) ?? (await ads.get(click.ad_id))
      if (!ad) return reject('unknown-ad', `there is no ad ${click.ad_id}`)
      if (click.campaign_id !== '' && click.campaign_id !== ad.campaign_id) {
        return reject('ad-mismatch', `the campaign of ad ${ad.ad_id} is "${ad.campaign_id}"`)
      }
      return { click: { ...click, publisher_id: click.publisher_id || owner }, ad }
    } catch (error) {
      if (error instanceof ClickledgerError) return reject(error.code, toldOf(error))
      throw error
    }
  }

  const record = (visit: Visit, sender: Sender, items: readonly (Checked | Reject)[]) =>
    new Promise<ItemResult[]>((resolve) => {
      const results: ItemResult[] = []
      let open = items.length
      const settle = (i: number, result: ItemResult) => {
        results[i] = result
        if (--open > 0) return
        span?.end({ clicks: items.length })
        resolve(results)
      }
      const consent = consentOf(visit)
      const at = now()
      // One span for the request: its clicks are siblings in the trace.
      const span = options.tracer?.ofRequest('ingest.clicks', visit.headers.traceparent)
      for (const [i, item] of items.entries()) {
        if ('kind' in item) {
          settle(i, { accepted: false, reason: item.reason, detail: item.detail })
          continue
        }
        const raw = stampPosted(options.stamp, visit, sender, item, consent, at)
        const acknowledge = (failure: ErrorCode | undefined) => {
          if (failure === undefined) counters.accepted[sender.source]++
          else counters.notAccepted[sender.source]++
          settle(i, failure === undefined ? accepted(raw) : notAccepted(failure))
        }
        append(partitionKey(raw.ad_id, raw.ip_hash), raw, acknowledge, span?.traceparent)
      }
    })

  /** Answers a POST. */
  return async (visit: Visit, source: Sender['source']): Promise<void> => {
    const { response } = visit
    const sender = await senderOf(visit, source)
    if (typeof sender === 'string') {
      const detail = sender === 'forbidden' ? `role ${importRoles.join(' or ')}` : undefined
      return answers.problem(response, sender, detail)
    }
    const body = await readJson(visit.request)
    if (body.kind === 'reject') {
      return answers.problem(response, body.reason, body.detail)
    }
    const batch = batchOf(body.value, source)
    if (batch.kind === 'reject') return answers.problem(response, batch.reason, batch.detail)
    const policy: ParsePolicy = {
      mayNameAddress: sender.isTrusted,
      isImport: source === 'import',
      now: now(),
    }
    const items = await Promise.all(batch.values.map((value) => check(value, sender, policy)))
    const results = items.length === 0 ? [] : await record(visit, sender, items)
    if (!batch.isSingle) countRefused(counters, results)
    answerWith(answers, visit, results, batch.isSingle)
  }
}

type Batch = {
  readonly kind: 'batch'
  readonly values: readonly unknown[]
  readonly isSingle: boolean
}

/** One click, an array of clicks, or (import) `{"clicks": [..]}`. */
function batchOf(body: unknown, source: Sender['source']): Batch | Reject {
  const values = source === 'import' ? (body as { clicks?: unknown } | null)?.clicks : body
  if (source === 'import' && !Array.isArray(values)) {
    return reject('bad-request', 'the body must be {"clicks": [..]}')
  }
  if (!Array.isArray(values)) return { kind: 'batch', values: [values], isSingle: true }
  if (values.length > limits.batchClicksMax) {
    return reject('payload-too-large', `at most ${limits.batchClicksMax} clicks at once`)
  }
  return { kind: 'batch', values, isSingle: false }
}

interface Consent {
  readonly gdpr: string
  readonly gdpr_consent: string
}

const consentOf = (visit: Visit): Consent => parseClickQuery(visit.url, visit.queryAt)

function stampPosted(
  stamp: StampFacts,
  { client, headers }: Visit,
  { isTrusted, source }: Sender,
  { click, ad }: Checked,
  consent: Consent,
  at: number,
): RawClick {
  const params = click.additional_params
  const gdpr = params?.gdpr ?? consent.gdpr
  const gdprConsent = params?.gdpr_consent ?? consent.gdpr_consent
  return stamp({
    ad,
    source,
    event_id: click.event_id,
    event_time: click.event_time ?? at,
    received_time: at,
    publisher_id: click.publisher_id,
    impression_id: click.impression_id,
    user_id: click.user_id,
    mayIdentify: mayIdentify(gdpr, gdprConsent, headers.refusesTracking),
    // A server that speaks for its visitors is none of them: better no address than its own.
    address: click.address === '' && !isTrusted ? client : click.address,
    user_agent: click.user_agent === '' && source === 'api' ? headers.userAgent : click.user_agent,
    referrer_url: click.referrer_url,
    additional_params: params,
    isPrefetch: source === 'api' && headers.isPrefetch,
    // A trusted key vouches for its clicks as a signature does.
    signatureMark: ad.signedOnly && !isTrusted ? 'bad-signature' : undefined,
  })
}

const accepted = (click: RawClick): ItemResult => ({ event_id: click.event_id, accepted: true })

const notAccepted = (failure: ErrorCode): ItemResult => ({
  accepted: false,
  reason: 'not-accepted',
  detail: errors[failure].title,
})

/** Of a list; a single click's refusal is the answer's own. */
function countRefused({ refused }: Counters, results: readonly ItemResult[]): void {
  for (const result of results) if (!result.accepted) countUp(refused, result.reason)
}

function answerWith(
  answers: Answers,
  { response }: Visit,
  results: readonly ItemResult[],
  isSingle: boolean,
) {
  const [first] = results
  if (isSingle && first) {
    if (first.accepted) return answers.json(response, 200, first)
    const { reason, detail } = first
    return answers.problem(response, reason, detail, { extra: { accepted: false, reason } })
  }
  const isLost = (r: ItemResult) => !r.accepted && r.reason === 'not-accepted'
  if (results.some(isLost) && !results.some((r) => r.accepted)) {
    return answers.problem(response, 'not-accepted', undefined, { extra: { results } })
  }
  answers.json(response, 200, { results })
}
