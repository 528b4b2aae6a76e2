// The public keys of the identity provider, fetched when they are needed and kept. While the provider
// is away the keys at hand go on for a day; what they cannot decide is 503, never 401: the caller may
// well be in the right.
import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey, errors as jose } from 'jose'
import { request } from 'undici'
import { ClickledgerError } from '#schemas/errors.ts'

const refreshMs = 10 * 60_000
/** Unknown key ids make it ask again no more often than this: anyone can make up a key id. */
const askAgainMs = 10_000
const staleMaxMs = 24 * 3_600_000
const timeoutMs = 3_000
const bytesMax = 1024 * 1024

export interface JwksOptions {
  readonly url: string
  /** Milliseconds that only go forward. */
  readonly elapsed?: () => number
}

async function fetchKeys(url: string): Promise<JSONWebKeySet> {
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs }
  const signal = AbortSignal.timeout(timeoutMs)
  const { statusCode, body } = await request(url, { ...timeouts, signal })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`status ${statusCode}`)
  }
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of body as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > bytesMax) throw new Error(`more than ${bytesMax} bytes`)
    parts.push(part)
  }
  return JSON.parse(Buffer.concat(parts).toString('utf8')) as JSONWebKeySet
}

/** @returns a source of keys for `jwtVerify`, which throws ClickledgerError `unavailable` */
export function createJwks({ url, elapsed = () => performance.now() }: JwksOptions) {
  let known: { readonly keys: JWTVerifyGetKey; readonly at: number } | undefined
  let askedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let asking: Promise<void> | undefined

  const ask = (): Promise<void> => {
    askedAt = elapsed()
    asking ??= fetchKeys(url)
      .then((set) => {
        known = { keys: createLocalJWKSet(set), at: elapsed() }
        failure = undefined
      })
      .catch((cause: unknown) => {
        failure = cause
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }
  const mayAsk = () => asking !== undefined || elapsed() - askedAt >= askAgainMs
  const away = () =>
    new ClickledgerError(
      'unavailable',
      'The identity provider does not answer, so the token cannot be checked.',
      failure,
    )

  const keysFor: JWTVerifyGetKey = async (header, token) => {
    const age = known ? elapsed() - known.at : Number.POSITIVE_INFINITY
    if (age > refreshMs && mayAsk()) {
      const refreshed = ask()
      if (age > staleMaxMs) await refreshed // younger ones need not be waited for
    }
    if (!known || elapsed() - known.at > staleMaxMs) throw away()
    try {
      return await known.keys(header, token)
    } catch (error) {
      if (!(error instanceof jose.JWKSNoMatchingKey)) throw error
      if (mayAsk()) await ask()
      if (failure !== undefined) throw away()
      return known.keys(header, token)
    }
  }
  return keysFor
}
