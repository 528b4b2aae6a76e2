// What ingest reads of a request: query and headers, each walked once by hand. `req.headers` and
// URL objects cost more than everything else that a click needs. Malformed optional parts are left
// out, never refused: behind a GET is a user who wants to go somewhere.
import type { IncomingMessage } from 'node:http'
import { limits } from '#schemas/limits.ts'
import { cleanText, decodeQueryText, isId } from './text.ts'

const parametersMax = 64

/** Parameters of a click URL. Empty: absent. */
export interface ClickQuery {
  ad_id: string
  publisher_id: string
  impression_id: string
  user_id: string
  redirect_url: string
  gdpr: string
  gdpr_consent: string
  iat: string
  exp: string
  kid: string
  sig: string
  /** Whatever else there is. */
  extra: Record<string, string> | undefined
}

type Named = Exclude<keyof ClickQuery, 'extra'>

const emptyQuery = (): ClickQuery => ({
  ad_id: '',
  publisher_id: '',
  impression_id: '',
  user_id: '',
  redirect_url: '',
  gdpr: '',
  gdpr_consent: '',
  iat: '',
  exp: '',
  kid: '',
  sig: '',
  extra: undefined,
})
const named: ReadonlySet<string> = new Set(Object.keys(emptyQuery()).filter((k) => k !== 'extra'))

/** Parses the query of a click URL; the first of equal names counts. @param at - index of the `?` */
export function parseClickQuery(url: string, at: number): ClickQuery {
  const query = emptyQuery()
  if (at < 0) return query
  let extras = 0
  let start = at + 1
  for (let n = 0; n < parametersMax && start < url.length; n++) {
    let end = url.indexOf('&', start)
    if (end < 0) end = url.length
    let equals = url.indexOf('=', start)
    if (equals < 0 || equals > end) equals = end
    const name = decodeQueryText(url.slice(start, equals))
    const value = equals < end ? decodeQueryText(url.slice(equals + 1, end)) : ''
    start = end + 1
    if (named.has(name)) {
      if (query[name as Named] === '') query[name as Named] = value
    } else if (name !== '' && extras < limits.additionalParamsMax) {
      query.extra ??= {}
      if (addParam(query.extra, name, value)) extras++
    }
  }
  if (!isId(query.publisher_id)) query.publisher_id = ''
  if (!isId(query.impression_id)) query.impression_id = ''
  if (query.user_id.length > limits.idCharsMax) query.user_id = ''
  return query
}

function addParam(params: Record<string, string>, name: string, value: string): boolean {
  const key = cleanText(name, limits.additionalParamCharsMax)
  if (Object.hasOwn(params, key)) return false
  // Not an assignment: `__proto__` is a name like any other.
  Object.defineProperty(params, key, {
    value: cleanText(value, limits.additionalParamCharsMax),
    enumerable: true,
    writable: true,
  })
  return true
}

/** Headers that a click is made of. Empty: absent. */
export interface ClickHeaders {
  userAgent: string
  referrer: string
  forwardedFor: string
  isPrefetch: boolean
  /** Sec-GPC: 1, Global Privacy Control. */
  refusesTracking: boolean
  traceparent: string
}

export function readClickHeaders(request: IncomingMessage): ClickHeaders {
  const raw = request.rawHeaders
  const headers: ClickHeaders = {
    userAgent: '',
    referrer: '',
    forwardedFor: '',
    isPrefetch: request.method === 'HEAD',
    refusesTracking: false,
    traceparent: '',
  }
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    // Length first: most headers are none of ours, and lower-casing them all is not free.
    switch (name.length) {
      case 5:
      case 7:
      case 9:
      case 10:
      case 11:
      case 15:
        readHeader(headers, name.toLowerCase(), raw[i + 1] as string)
    }
  }
  return headers
}

function readHeader(headers: ClickHeaders, name: string, value: string): void {
  switch (name) {
    case 'user-agent':
      headers.userAgent = cleanText(value, limits.userAgentCharsMax)
      return
    case 'referer':
      headers.referrer = cleanText(value, limits.referrerCharsMax)
      return
    case 'x-forwarded-for':
      headers.forwardedFor =
        headers.forwardedFor === '' ? value : `${headers.forwardedFor},${value}`
      return
    case 'traceparent':
      headers.traceparent = value
      return
    case 'sec-purpose':
    case 'purpose':
    case 'x-purpose':
    case 'x-moz':
      if (/prefetch|prerender|preview/i.test(value)) headers.isPrefetch = true
      return
    case 'sec-gpc':
      if (value.trim() === '1') headers.refusesTracking = true
  }
}

/** Whether a user may be remembered: not against a signal, and under GDPR only with consent. */
export function mayIdentify(
  gdpr: string | undefined,
  consent: string | undefined,
  refusesTracking: boolean,
): boolean {
  return !refusesTracking && (gdpr !== '1' || (consent ?? '') !== '')
}
