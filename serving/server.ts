// The HTTP server: fastify, what every route shares (limits, security headers, one error handler,
// request durations, OpenAPI), and nothing of what the routes mean.
import type { Socket } from 'node:net'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Logger } from '#platform/log.ts'
import { problem } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import type { ServingMetrics } from './metrics.ts'
import { answerMethodNotAllowed } from './not-found.ts'
import { describeApi } from './openapi/describe.ts'
import { describeFaults, handleError, sendProblem } from './problems.ts'
import { validatorCompiler } from './validation.ts'

/** The page may run its own scripts and talk to its own server, nothing else. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

export const securityHeaders = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
} as const

const pathParamCharsMax = 512

function measureRequests(app: FastifyInstance, durations: ServingMetrics['requestSeconds']): void {
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const labels = { route, method: request.method, status: String(reply.statusCode) }
    durations.observe(labels, reply.elapsedTime / 1000)
  })
}

/** What the HTTP parser gave up on never becomes a request: the socket itself is answered. */
function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const isTooLong = error.code === 'HPE_HEADER_OVERFLOW'
  const detail = isTooLong ? `The limit is ${limits.urlBytesMax} bytes.` : 'This is no HTTP/1.1.'
  const body = problem(isTooLong ? 'uri-too-long' : 'bad-request', detail)
  const text = JSON.stringify(body)
  socket.end(
    `HTTP/1.1 ${body.status} ${isTooLong ? 'URI Too Long' : 'Bad Request'}\r\n` +
      `content-type: application/problem+json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n` +
      `connection: close\r\n\r\n${text}`,
  )
}

export interface ServerDeps {
  readonly logger: Logger
  readonly metrics: ServingMetrics
}

/** A server without routes of its own but /openapi.json. */
export async function buildServer({ logger, metrics }: ServerDeps) {
  const app = fastify({
    loggerInstance: logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: limits.bodyBytesMax,
    // A HEAD on the live stream would never end; static files bring their own HEAD.
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: pathParamCharsMax },
    schemaErrorFormatter: describeFaults,
    genReqId: () => crypto.randomUUID(),
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (error, request, reply) => {
      handleError(error, request, reply)
    },
  })
    .setValidatorCompiler(validatorCompiler)
    .withTypeProvider<TypeBoxTypeProvider>()

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(securityHeaders)
    if (request.url.startsWith('/v1/')) reply.header('cache-control', 'no-store')
    if (Buffer.byteLength(request.url) > limits.urlBytesMax) {
      sendProblem(reply, 'uri-too-long', `The limit is ${limits.urlBytesMax} bytes.`)
      return reply
    }
  })
  // A serializer of its own leaves an answer without a type.
  app.addHook('onSend', async (_, reply, payload) => {
    if (typeof payload === 'string' && !reply.hasHeader('content-type')) {
      reply.type('application/json; charset=utf-8')
    }
  })
  app.removeContentTypeParser('text/plain')
  app.setErrorHandler(handleError)
  answerMethodNotAllowed(app)
  measureRequests(app, metrics.requestSeconds)
  await describeApi(app)
  return app
}

export type Server = Awaited<ReturnType<typeof buildServer>>
