// Errors in the shape that Druid's clients read (`error`, `errorMessage`, `errorClass`), instead of
// problem+json: a BI tool shows its user just these words.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { type ErrorCode, errors } from '#schemas/errors.ts'
import { problemOf } from '../problems.ts'

const categories: Partial<Record<ErrorCode, string>> = {
  unauthorized: 'UNAUTHORIZED',
  forbidden: 'FORBIDDEN',
  'too-many-requests': 'CAPACITY_EXCEEDED',
  'query-timeout': 'TIMEOUT',
  unavailable: 'RUNTIME_FAILURE',
  internal: 'RUNTIME_FAILURE',
}
const retryAfterSeconds = 2

/** Answers with an error of Druid's shape. */
export function sendDruidError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { code, detail } = problemOf(error)
  const { status, title, fix, retryable } = errors[code]
  if (status >= 500)
    request.log.error({ err: error, route: request.routeOptions.url }, 'statement failed')
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (retryable && status !== 500) reply.header('retry-after', String(retryAfterSeconds))
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json')
    .serializer(JSON.stringify)
    .send({
      error: 'druidException',
      errorCode: code,
      persona: 'USER',
      category: categories[code] ?? 'INVALID_INPUT',
      errorMessage: detail ?? `${title} ${fix}`,
      errorClass: 'org.apache.druid.error.DruidException',
      host: null,
      context: { requestId: request.id },
    })
}
