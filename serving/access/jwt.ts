// Tokens of an identity provider (JWT) beside API keys. The token says who and which role; its issuer,
// audience and times are always checked, and only signatures with a public key are taken: with HS256
// in the list anybody could sign with that public key.
import { type JWTPayload, type JWTVerifyGetKey, errors as jose, jwtVerify } from 'jose'
import { type KeyLookup, type Principal, type Role, roles } from '#platform/api-keys.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { idPattern, limits } from '#schemas/limits.ts'

const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const tokenCharsMax = 8_192
const tenantsMax = 100
const nameCharsMax = 64

export interface JwtOptions {
  readonly keys: JWTVerifyGetKey
  readonly issuer: string
  readonly audience: string
  readonly clockSkewMs: number
  readonly now: () => number
}

/** Three parts, the first of which is a JSON object: no API key that is made here looks so. */
const looksLikeToken = (text: string): boolean => /^eyJ[\w-]*\.[\w-]*\.[\w-]*$/.test(text)

const reasons: Readonly<Record<string, string>> = {
  aud: 'it is for another audience',
  iss: 'it is of another issuer',
  nbf: 'it is not valid yet',
  iat: 'it was issued in the future',
  exp: 'it has no expiry (exp)',
  sub: 'it names nobody (sub)',
}

/** Why a token is not believed, in words that give nothing of it away. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof jose.JWTExpired) return 'it has expired'
  if (error instanceof jose.JWTClaimValidationFailed) {
    return reasons[error.claim] ?? `its claim ${error.claim} does not fit`
  }
  if (error instanceof jose.JOSEAlgNotAllowed) {
    return `its algorithm is not one of ${algorithms.join(', ')}`
  }
  if (error instanceof jose.JWSSignatureVerificationFailed) return 'its signature is wrong'
  if (error instanceof jose.JWKSNoMatchingKey) return 'no key of the issuer has signed it'
  return error instanceof jose.JOSEError ? 'it is malformed' : undefined
}

/** A claim of one id or a list of ids. @throws ClickledgerError `forbidden` */
function idsOf(payload: JWTPayload, claim: string): string[] {
  const value = payload[claim]
  if (value === undefined) return []
  const ids: unknown[] = Array.isArray(value) ? value : [value]
  const isId = (id: unknown): id is string =>
    typeof id === 'string' && idPattern.test(id) && id.length <= limits.idCharsMax
  if (ids.length <= tenantsMax && ids.every(isId)) return ids
  throw new ClickledgerError(
    'forbidden',
    `The claim ${claim} must be an id or a list of at most ${tenantsMax} ids.`,
  )
}

function principalOf(payload: JWTPayload): Principal {
  const { role, sub = '' } = payload
  if (!roles.includes(role as Role)) {
    throw new ClickledgerError(
      'forbidden',
      `The token's claim role must be one of ${roles.join(', ')}.`,
    )
  }
  const advertiserIds = role === 'advertiser' ? idsOf(payload, 'advertiser_id') : []
  const publisherIds = role === 'publisher' ? idsOf(payload, 'publisher_id') : []
  if (role === 'advertiser' && advertiserIds.length === 0) {
    throw new ClickledgerError(
      'forbidden',
      'The token has the role advertiser, which needs the claim advertiser_id.',
    )
  }
  if (role === 'publisher' && publisherIds.length === 0) {
    throw new ClickledgerError(
      'forbidden',
      'The token has the role publisher, which needs the claim publisher_id.',
    )
  }
  const name = sub.slice(0, nameCharsMax)
  return { role: role as Role, advertiserIds, publisherIds, name, prefix: 'jwt' }
}

/**
 * Checks a token.
 * @throws ClickledgerError `unauthorized` with the reason, `forbidden` where its claims give no right,
 *   `unavailable` where the issuer's keys cannot be had
 */
export async function verifyToken(token: string, options: JwtOptions): Promise<Principal> {
  const { keys, issuer, audience, clockSkewMs, now } = options
  if (token.length > tokenCharsMax) {
    throw new ClickledgerError('unauthorized', `The token is longer than ${tokenCharsMax} bytes.`)
  }
  try {
    const { payload } = await jwtVerify(token, keys, {
      ...{ issuer, audience, algorithms, currentDate: new Date(now()) },
      clockTolerance: clockSkewMs / 1000,
      requiredClaims: ['exp', 'sub'],
    })
    return principalOf(payload)
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === undefined) throw error
    throw new ClickledgerError('unauthorized', `The token is not accepted: ${reason}.`, error)
  }
}

/** API keys and tokens through one door: what looks like a token is only ever taken as one. */
export function withTokens(lookup: KeyLookup, options: JwtOptions | undefined): KeyLookup {
  if (!options) return lookup
  return (text) => (looksLikeToken(text) ? verifyToken(text, options) : lookup(text))
}
