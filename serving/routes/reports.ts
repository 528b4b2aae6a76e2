// GET /v1/reports/clicks/timeseries and /topN.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { everyRole, principalOf, scoped, tenantOf } from '../auth.ts'
import { parseReport, parseTopN, type ReportRequest } from '../reports/params.ts'
import { type ReportDeps, runReport } from '../reports/report.ts'
import { Answer, answers, TimeseriesParams, TopNParams } from '../schemas.ts'
import type { Server } from '../server.ts'

const pinnedSeconds = 3_600

/** Answers a report of what the key may see, or 304. */
export async function answerReport(
  deps: ReportDeps,
  asked: ReportRequest,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  // Rows have whatever columns were asked for: the schema describes them, it does not serialise them.
  reply.serializer(JSON.stringify)
  const principal = principalOf(request)
  const ifNoneMatch = request.headers['if-none-match'] ?? ''
  const outcome = await runReport(deps, scoped(asked, principal), {
    ifNoneMatch,
    tenant: tenantOf(principal),
  })
  reply.header('etag', outcome.etag).header('vary', 'authorization, accept')
  // Kept by the client, never by a shared cache. What bears no cursor is asked about each time: a
  // backfill may publish final hours anew. A cursor names its runs, so its page is what it is.
  const kept = outcome.isPinned ? `max-age=${pinnedSeconds}, immutable` : 'no-cache'
  reply.header('cache-control', `private, ${kept}`)
  if (outcome.kind === 'not-modified') {
    return reply.code(304).send()
  }
  return reply.send(outcome.answer)
}

export function addReportRoutes(app: Server, deps: ReportDeps): void {
  app.get(
    '/v1/reports/clicks/timeseries',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['reports'],
        summary: 'Clicks by time and dimensions',
        description: 'Buckets without clicks are left out.',
        querystring: TimeseriesParams,
        response: answers(Answer),
      },
    },
    (request, reply) => answerReport(deps, parseReport(request.query, deps.now()), request, reply),
  )
  app.get(
    '/v1/reports/clicks/topN',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['reports'],
        summary: 'The values of a dimension with the most clicks',
        querystring: TopNParams,
        response: answers(Answer),
      },
    },
    (request, reply) => answerReport(deps, parseTopN(request.query, deps.now()), request, reply),
  )
}
