// Signed click URLs: HMAC-SHA256 over ad, publisher, impression, issue time, expiry and (where one
// is given) redirect target. Keys have ids, so that they can be rotated. A signature vouches for
// what it covers and nothing else: parameters beside it (user_id, campaign tags) are not covered.
import { createHmac, timingSafeEqual } from 'node:crypto'

export interface SigningKeys {
  /** All keys that are accepted, by id. */
  readonly signingKeys: ReadonlyMap<string, Uint8Array>
  /** Id of the key that signs. */
  readonly signingKeyId: string
}

export interface SignedClick {
  readonly ad_id: string
  readonly publisher_id: string
  readonly impression_id: string
  /** Whole seconds since the epoch. */
  readonly issued_at: number
  /** Whole seconds since the epoch; from this second on the signature is expired. */
  readonly expires_at: number
  /** Covered where given: the one target, besides the ad's own, that may be redirected to. */
  readonly redirect_url?: string
}

/** Query parameters that carry a signature. */
export interface SignatureParams {
  readonly publisher_id: string
  readonly impression_id: string
  readonly iat: string
  readonly exp: string
  readonly kid: string
  readonly sig: string
}

/** What a signature says: none there, wrong, right but too old, right. */
export type SignatureState = 'unsigned' | 'bad' | 'expired' | 'valid'

function signature(key: Uint8Array, parts: readonly string[]): Buffer {
  // JSON keeps the parts apart: no two lists of parts have the same text.
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest()
}

/** Signs a click with the current key. @throws Error where the current key is missing */
export function signClick(keys: SigningKeys, click: SignedClick): SignatureParams {
  const kid = keys.signingKeyId
  const key = keys.signingKeys.get(kid)
  if (!key) throw new Error(`no signing key "${kid}"`)
  const { ad_id, publisher_id, impression_id, redirect_url = '' } = click
  const iat = String(click.issued_at)
  const exp = String(click.expires_at)
  const sig = signature(key, [ad_id, publisher_id, impression_id, iat, exp, redirect_url])
  return { publisher_id, impression_id, iat, exp, kid, sig: sig.toString('base64url') }
}

/**
 * Checks the signature of a click as it came in.
 * @param redirectUrl - the redirect target that the request carries; empty: none
 * @param now - milliseconds
 */
export function verifyClick(
  keys: SigningKeys,
  adId: string,
  params: SignatureParams,
  redirectUrl: string,
  now: number,
): SignatureState {
  const { publisher_id, impression_id, iat, exp, kid, sig } = params
  if (sig === '') return 'unsigned'
  const key = keys.signingKeys.get(kid)
  if (!key || !/^\d{1,12}$/.test(exp)) return 'bad'
  const given = Buffer.from(sig, 'base64url')
  const right = signature(key, [adId, publisher_id, impression_id, iat, exp, redirectUrl])
  if (given.length !== right.length || !timingSafeEqual(given, right)) return 'bad'
  return now >= Number(exp) * 1000 ? 'expired' : 'valid'
}

/**
 * The URL of a signed click.
 * @param base - how browsers reach ingest, without a slash at the end
 */
export function buildClickUrl(base: string, keys: SigningKeys, click: SignedClick): string {
  const params = new URLSearchParams({ ...signClick(keys, click) })
  if (click.redirect_url === undefined) {
    return `${base}/click/${encodeURIComponent(click.ad_id)}?${params}`
  }
  params.set('ad_id', click.ad_id)
  params.set('redirect_url', click.redirect_url)
  return `${base}/track/click?${params}`
}
