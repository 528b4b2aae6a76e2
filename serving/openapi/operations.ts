// What /openapi.json says of a route beyond its schema: its name, who may use it, which problems it
// may answer. Most problems follow from what the route takes; the others are in its `config.errors`.

import type { Role } from '#platform/api-keys.ts'
import { type ErrorCode, errors } from '#schemas/errors.ts'

/** A route that will go away, and when. Answers carry it as headers, too. */
export interface Deprecation {
  /** First day on which the documentation called it deprecated: `2026-11-22`. */
  readonly since: string
  /** Day after which it may be gone; at least six months after `since`. */
  readonly sunset: string
  /** What to use instead: a path. */
  readonly successor: string
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Problems of this route beside those that follow from its schema. */
    errors?: readonly ErrorCode[]
    deprecation?: Deprecation
  }
}

export interface RouteFacts {
  readonly url: string
  readonly method: string
  readonly schema: Readonly<Record<string, unknown>>
  readonly roles: readonly Role[] | undefined
  readonly errors: readonly ErrorCode[]
  /** Asks the OLAP store for numbers. */
  readonly isReport: boolean
}

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** `GET /v1/ads/:ad_id/metrics` -> `getAdsByAdIdMetrics`. */
export function operationId(method: string, url: string): string {
  const words = url
    .replace(/^\/v1\//, '/')
    .replace(/::|(?<=\w):/g, '/') // `ads:bulk`, however the router writes it
    .split(/[/.{}-]/)
    .filter((part) => part !== '')
    .flatMap((part) => (part.startsWith(':') ? ['by', ...part.slice(1).split('_')] : [part]))
  return method.toLowerCase() + words.map(capital).join('')
}

/** Codes that a route may answer with, in the order of their statuses. */
export function errorsOf(route: RouteFacts): ErrorCode[] {
  const { schema, roles, isReport } = route
  const codes: ErrorCode[] = ['uri-too-long', 'internal', ...route.errors]
  if (schema.querystring || schema.params || schema.body) codes.push('bad-request')
  if (schema.params) codes.push('not-found')
  if (schema.body) codes.push('payload-too-large', 'unsupported-media-type')
  if (roles) codes.push('unauthorized', 'forbidden', 'unavailable')
  if (isReport) codes.push('query-too-large', 'not-kept', 'too-many-requests', 'query-timeout')
  return [...new Set(codes)].sort((a, b) => errors[a].status - errors[b].status)
}

const problemType = 'application/problem+json'

const exampleOf = (code: ErrorCode) => ({
  summary: errors[code].title,
  value: {
    type: `/errors/${code}`,
    title: errors[code].title,
    status: errors[code].status,
    code,
    detail: errors[code].title,
    fix: errors[code].fix,
    request_id: '4b0e1c52-5f0e-4d7a-9a39-0d7f0e6b1c11',
  },
})

const retryAfter = {
  'retry-after': { type: 'integer', description: 'Seconds to wait before asking again.' },
}

/** Responses for those codes: one for each status, with an example for each code. */
export function problemResponses(codes: readonly ErrorCode[]) {
  const byStatus = Map.groupBy(codes, (code) => errors[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => [
      String(status),
      {
        description: some.map((code) => `\`${code}\`: ${errors[code].title}`).join(' '),
        ...(some.some((code) => errors[code].retryable) && status !== 500
          ? { headers: retryAfter }
          : {}),
        content: {
          [problemType]: {
            schema: { $ref: '#/components/schemas/Problem' },
            examples: Object.fromEntries(some.map((code) => [code, exampleOf(code)])),
          },
        },
      },
    ]),
  )
}

const httpDate = (day: string) => new Date(`${day}T00:00:00Z`).toUTCString()

/** RFC 9745 and RFC 8594. */
export const deprecationHeaders = ({ since, sunset, successor }: Deprecation) => ({
  deprecation: `@${Date.parse(`${since}T00:00:00Z`) / 1000}`,
  sunset: httpDate(sunset),
  link: `<${successor}>; rel="successor-version"`,
})
