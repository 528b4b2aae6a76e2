// Requests -> routes. Hand-written on node:http, because this is the hot path: no framework, no URL
// object, no header object for a click. Whatever comes in gets an answer from schemas/errors.ts.
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { ClickledgerError } from '#schemas/errors.ts'
import { limits } from '#schemas/limits.ts'
import { type Answers, IngestResponse } from './answer.ts'
import type { RouteName } from './counters.ts'
import { readClickHeaders } from './request.ts'
import { toldOf } from './told.ts'
import type { Visit } from './visit.ts'

export type Route = (visit: Visit) => void | Promise<void>
export type IdRoute = (visit: Visit, id: string) => void | Promise<void>

export interface Routes {
  readonly redirect: IdRoute
  readonly track: Route
  readonly trackEvent: Route
  readonly importClicks: Route
  readonly placement: IdRoute
  readonly live: Route
  readonly ready: Route
  readonly metrics: Route
  readonly robots: Route
}

export interface FromHttpOptions {
  readonly routes: Routes
  readonly answers: Answers
  readonly clientOf: (remote: string, forwarded: string) => { client: string; isOwnProxy: boolean }
  /** Takes from the limit of an address; false: over it. */
  readonly allow: (address: string) => boolean
  /** A fault of ours: told to the operator, never to the client. */
  onFault(error: unknown): void
}

const connectionsMax = 20_000
const headersTimeoutMs = 10_000
const requestTimeoutMs = 30_000
const keepAliveMs = 75_000 // longer than load balancers keep theirs: they close first

interface Matched {
  readonly name: RouteName
  readonly methods: 'GET' | 'POST'
  readonly run: Route | IdRoute
  readonly id: string
}

export function createIngestServer(options: FromHttpOptions): Server {
  const { answers, clientOf, allow, onFault } = options
  const match = createMatcher(options.routes)

  const fail = (response: IngestResponse, error: unknown) => {
    if (error instanceof ClickledgerError) {
      return answers.problem(response, error.code, toldOf(error))
    }
    onFault(error)
    answers.problem(response, 'internal')
  }

  const handle = (request: IncomingMessage, response: IngestResponse): void | Promise<void> => {
    const url = request.url ?? '/'
    if (url.length > limits.urlBytesMax) return answers.problem(response, 'uri-too-long')
    const queryAt = url.indexOf('?')
    const matched = match(queryAt < 0 ? url : url.slice(0, queryAt))
    if (!matched) return answers.problem(response, 'not-found')
    response.route = matched.name
    const { method } = request
    if (method !== matched.methods && !(method === 'HEAD' && matched.methods === 'GET')) {
      const allowed = matched.methods === 'GET' ? 'GET, HEAD' : 'POST'
      return answers.problem(response, 'method-not-allowed', undefined, {
        headers: ['allow', allowed],
      })
    }
    const headers = readClickHeaders(request)
    const remote = request.socket.remoteAddress ?? ''
    const { client, isOwnProxy } = clientOf(remote, headers.forwardedFor)
    // A POST with a key is limited only where the key turns out to be none.
    const hasKey = method === 'POST' && request.headers.authorization !== undefined
    if (!isOwnProxy && !hasKey && !allow(client)) {
      return answers.problem(response, 'too-many-requests')
    }
    const visit: Visit = { request, response, url, queryAt, headers, client, isOwnProxy }
    return matched.run(visit, matched.id)
  }

  const server = createServer(
    {
      ServerResponse: IngestResponse,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
      maxHeaderSize: 2 * limits.urlBytesMax,
    },
    (request, response) => {
      try {
        handle(request, response)?.catch((error: unknown) => fail(response, error))
      } catch (error) {
        fail(response, error)
      }
    },
  )
  server.maxConnections = connectionsMax
  return server
}

function createMatcher(routes: Routes): (path: string) => Matched | undefined {
  const get = (name: RouteName, run: Route): Matched => ({ name, methods: 'GET', run, id: '' })
  const post = (name: RouteName, run: Route): Matched => ({ name, methods: 'POST', run, id: '' })
  const exact = new Map<string, Matched>([
    ['/track/click', get('track', routes.track)],
    ['/track/click_event', post('track-event', routes.trackEvent)],
    ['/import/clicks', post('import', routes.importClicks)],
    ['/livez', get('live', routes.live)],
    ['/readyz', get('ready', routes.ready)],
    ['/metrics', get('metrics', routes.metrics)],
    ['/robots.txt', get('robots', routes.robots)],
  ])
  const prefixes: readonly (readonly [string, RouteName, IdRoute])[] = [
    ['/click/', 'redirect', routes.redirect],
    ['/ads/', 'redirect', routes.redirect],
    ['/placements/', 'placement', routes.placement],
  ]
  return (path) => {
    for (const [prefix, name, run] of prefixes) {
      if (path.startsWith(prefix)) {
        return { name, methods: 'GET', run, id: decodeSegment(path.slice(prefix.length)) }
      }
    }
    return exact.get(path)
  }
}

function decodeSegment(text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return '' // no id: the route says what it says of an unknown one
  }
}
