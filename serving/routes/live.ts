// GET /v1/live: server-sent events with the last minutes' counts, once a second. A client that
// reads too slowly skips events, one that does not read at all is let go.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { KeyLookup } from '#platform/api-keys.ts'
import { authenticate, everyRole, principalOf, tenantFilters } from '../auth.ts'
import type { LiveEvent, LiveHub } from '../live-hub.ts'
import { parseFilters } from '../reports/filters.ts'
import { LiveParams } from '../schemas.ts'
import { type Server, securityHeaders } from '../server.ts'

const defaultMinutes = 60
const retryMs = 2_000
const heartbeatMs = 15_000
const backlogBytesMax = 256 * 1024

export interface LiveRouteDeps {
  readonly hub: LiveHub
  readonly lookup: KeyLookup
}

const headers = {
  ...securityHeaders,
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Reverse proxies (nginx) would otherwise collect events before passing them on.
  'x-accel-buffering': 'no',
}

/** Streams events until either side ends. Open streams are kept in `open`, to be ended at close. */
function stream(
  deps: LiveRouteDeps,
  request: FastifyRequest,
  reply: FastifyReply,
  open: Set<() => void>,
  subscribe: (listener: (event: LiveEvent) => void) => () => void,
): void {
  const { raw } = reply
  const early: LiveEvent[] = []
  let send = (event: LiveEvent): void => void early.push(event)
  // Before anything is written: a refusal is still an ordinary answer.
  const unsubscribe = subscribe((event) => send(event))
  reply.hijack()
  raw.writeHead(200, headers)
  raw.write(`retry: ${retryMs}\n\n`)
  send = ({ event, data }) => {
    if (raw.writableLength > backlogBytesMax) return
    raw.write(`event: ${event}\ndata: ${data}\n\n`)
  }
  for (const event of early) send(event)
  const end = () => {
    clearInterval(timer)
    unsubscribe()
    open.delete(end)
    raw.end()
  }
  const timer = setInterval(() => {
    if (raw.writableLength > backlogBytesMax) return raw.destroy()
    raw.write(': still here\n\n')
    // A key that was revoked since must not go on reading.
    authenticate(deps.lookup, request.headers.authorization, everyRole).catch(end)
  }, heartbeatMs)
  open.add(end)
  raw.on('close', end)
  raw.on('error', end)
}

export function addLiveRoute(app: Server, deps: LiveRouteDeps): void {
  const open = new Set<() => void>()
  app.addHook('preClose', async () => {
    for (const end of [...open]) end()
  })
  app.get(
    '/v1/live',
    {
      config: { roles: everyRole, errors: ['too-many-requests'] },
      schema: {
        tags: ['reports'],
        summary: 'Live counts by minute, as server-sent events',
        description:
          'Event `counts`, once a second: `{ boundary, watermark, series, totals }`; `series` has a row for every minute, as in a timeseries. Event `problem`: `{ code, detail }`, and the stream goes on.',
        produces: ['text/event-stream'],
        querystring: LiveParams,
      },
    },
    (request, reply) => {
      const { filters, minutes = defaultMinutes } = request.query
      const question = {
        minutes,
        filters: [...tenantFilters(principalOf(request)), ...parseFilters(filters)],
      }
      stream(deps, request, reply, open, (listener) => deps.hub.subscribe(question, listener))
    },
  )
}
