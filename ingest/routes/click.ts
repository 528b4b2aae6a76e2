// GET /click/{ad_id}, GET /ads/{ad_id}: 302 to the ad's target. GET /track/click: a pixel, or 302
// to a target that is the ad's own or bears a signature. The user always gets an answer at once;
// only where the click could not be made durable is it not counted, and the answer says so.
import { partitionKey } from '#core/identity.ts'
import { type CompiledTarget, fillTarget } from '#core/macros.ts'
import { type SignatureState, type SigningKeys, verifyClick } from '#core/signing.ts'
import type { Tracer } from '#platform/tracing.ts'
import type { ErrorCode } from '#schemas/errors.ts'
import type { RawClick } from '#schemas/fields.ts'
import type { Mark } from '#schemas/verdicts.ts'
import { type Ad, allowedTarget } from '../ads.ts'
import type { Answers } from '../answer.ts'
import type { Counters } from '../counters.ts'
import type { Directory } from '../directory.ts'
import type { Source, StampFacts } from '../facts.ts'
import { type ClickQuery, mayIdentify, parseClickQuery } from '../request.ts'
import { isId } from '../text.ts'
import type { Visit } from '../visit.ts'
import type { WalWriter } from '../wal/writer.ts'

export interface ClickRouteOptions {
  readonly ads: Directory<Ad>
  readonly stamp: StampFacts
  readonly append: WalWriter['append']
  readonly keys: SigningKeys
  readonly answers: Answers
  readonly counters: Counters
  readonly tracer?: Tracer | undefined
  now(): number
}

export function createClickRoutes(options: ClickRouteOptions) {
  const { ads, stamp, append, keys, answers, counters, tracer, now } = options

  const record = (
    visit: Visit,
    ad: Ad,
    query: ClickQuery,
    source: Source,
    signature: SignatureState,
    target: CompiledTarget | undefined,
    at: number,
  ): void => {
    const { headers, response } = visit
    const click = stamp({
      ad,
      source,
      event_id: '',
      event_time: at,
      received_time: at,
      publisher_id: query.publisher_id,
      impression_id: query.impression_id,
      user_id: query.user_id,
      mayIdentify: mayIdentify(query.gdpr, query.gdpr_consent, headers.refusesTracking),
      address: visit.client,
      user_agent: headers.userAgent,
      referrer_url: headers.referrer,
      additional_params: query.extra,
      isPrefetch: headers.isPrefetch,
      signatureMark: signatureMark(signature, ad.signedOnly),
    })
    const span = tracer?.ofRequest('ingest.click', headers.traceparent)
    const acknowledge = (failure: ErrorCode | undefined) => {
      const outcome = { eventId: click.event_id, isAccepted: failure === undefined }
      span?.end({ event_id: click.event_id, source })
      if (outcome.isAccepted) counters.accepted[source]++
      else counters.notAccepted[source]++
      if (target) answers.redirect(response, fillTarget(target, macroValues(click)), outcome)
      else answers.pixel(response, outcome)
    }
    append(partitionKey(click.ad_id, click.ip_hash), click, acknowledge, span?.traceparent)
  }

  const redirectTo = (visit: Visit, ad: Ad | undefined) => {
    if (!ad) return answers.problem(visit.response, 'unknown-ad')
    if (!ad.target) return answers.problem(visit.response, 'bad-target')
    const query = parseClickQuery(visit.url, visit.queryAt)
    const at = now()
    const signature = verifyClick(keys, ad.ad_id, query, '', at)
    record(visit, ad, query, 'redirect', signature, ad.target, at)
  }

  const trackFor = (visit: Visit, query: ClickQuery, ad: Ad | undefined) => {
    if (!ad) return answers.problem(visit.response, 'unknown-ad')
    const { redirect_url } = query
    const at = now()
    const isOwnTarget = redirect_url !== '' && redirect_url === ad.target?.text
    let signature = verifyClick(keys, ad.ad_id, query, redirect_url, at)
    // A signature for the ad alone vouches for the ad's own target too.
    if (signature === 'bad' && isOwnTarget) signature = verifyClick(keys, ad.ad_id, query, '', at)
    if (redirect_url === '') return record(visit, ad, query, 'pixel', signature, undefined, at)
    const isVouchedFor = signature === 'valid' || signature === 'expired'
    const target = isOwnTarget ? ad.target : isVouchedFor ? allowedTarget(redirect_url) : undefined
    if (!target) return answers.problem(visit.response, 'bad-target')
    record(visit, ad, query, 'pixel', signature, target, at)
  }

  return {
    redirect(visit: Visit, adId: string): void | Promise<void> {
      if (!isId(adId)) return answers.problem(visit.response, 'unknown-ad')
      const ad = ads.peek(adId) // the usual case waits for nothing
      return ad ? redirectTo(visit, ad) : ads.get(adId).then((found) => redirectTo(visit, found))
    },
    track(visit: Visit): void | Promise<void> {
      const query = parseClickQuery(visit.url, visit.queryAt)
      const { ad_id } = query
      if (!isId(ad_id)) {
        return answers.problem(visit.response, 'bad-request', 'ad_id is missing or no id')
      }
      const ad = ads.peek(ad_id)
      return ad ? trackFor(visit, query, ad) : ads.get(ad_id).then((f) => trackFor(visit, query, f))
    },
  }
}

function signatureMark(state: SignatureState, signedOnly: boolean): Mark | undefined {
  if (state === 'bad') return 'bad-signature'
  if (state === 'expired') return 'expired-impression'
  return state === 'unsigned' && signedOnly ? 'bad-signature' : undefined
}

function macroValues(click: RawClick) {
  return {
    click_id: click.event_id,
    impression_id: click.impression_id,
    ad_id: click.ad_id,
    campaign_id: click.campaign_id,
    publisher_id: click.publisher_id,
    cachebuster: String(click.received_time),
  }
}
