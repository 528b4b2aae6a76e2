// Whatever goes wrong leaves the server here, as problem+json with a code of schemas/errors.ts.
// Causes are logged, never sent: they may name files and addresses.
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { ClickledgerError, type ErrorCode, errors, problem } from '#schemas/errors.ts'

const defaultRetryAfterSeconds = 2

/** Answers with a problem. */
export function sendProblem(
  reply: FastifyReply,
  code: ErrorCode,
  detail?: string,
  retryAfterSeconds = defaultRetryAfterSeconds,
): void {
  const { status, retryable } = errors[code]
  if (retryable && status !== 500) reply.header('retry-after', String(retryAfterSeconds))
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    // Serialised here: the problem of one route is the problem of all.
    .serializer(JSON.stringify)
    .send(problem(code, detail, reply.request.id))
}

interface Fault {
  readonly keyword: string
  readonly instancePath: string
  readonly message?: string
  readonly params: object
}

const places: Record<string, string> = { querystring: '', params: '', headers: 'header ' }

/** Faults of JSON Schema in words that name the parameter and what it should be. */
export function describeFaults(faults: readonly Fault[], dataVar: string): Error {
  const place = places[dataVar] ?? ''
  const words = faults
    .filter(({ keyword, instancePath }) => keyword !== 'boolean' || instancePath === '')
    .slice(0, 5)
    .map(({ instancePath, message = 'is wrong', params }) => {
      const name = instancePath.slice(1).replaceAll('/', '.')
      const { allowedValues, additionalProperties, example } = params as Record<string, unknown>
      if (Array.isArray(additionalProperties)) {
        return `unknown ${place || 'parameter or field '}${additionalProperties.join(', ').slice(0, 200)}`
      }
      const allowed = Array.isArray(allowedValues) ? `: ${allowedValues.join(', ')}` : ''
      const such = example === undefined ? '' : `, such as ${String(example)}`
      return `${place}${name || dataVar} ${message}${allowed}${such}`
    })
  return new Error(words.join('; ') || 'the request does not have the right shape')
}

const byStatus: Record<number, ErrorCode> = {
  400: 'bad-request',
  404: 'not-found',
  405: 'method-not-allowed',
  413: 'payload-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
}

/** The code and the detail of anything thrown. */
export function problemOf(error: unknown): { code: ErrorCode; detail?: string } {
  if (error instanceof ClickledgerError) return { code: error.code, detail: error.message }
  const { statusCode, validation, message } = error as FastifyError
  if (validation) return { code: 'bad-request', detail: message }
  const status = statusCode ?? 500
  if (status >= 500) return { code: 'internal' }
  return { code: byStatus[status] ?? 'bad-request', detail: message }
}

export function handleError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { code, detail } = problemOf(error)
  if (errors[code].status >= 500) {
    request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
  }
  sendProblem(
    reply,
    code,
    detail,
    error instanceof ClickledgerError ? error.retryAfterSeconds : undefined,
  )
}
