// GET /v1/reports/clicks/timeseries and /topN, as JSON or as files.
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '#platform/api-keys.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { callerOf } from '../admission/caller.ts'
import { auditExport } from '../audit.ts'
import { everyRole, principalOf, scoped } from '../auth.ts'
import { columnsOf, metaOf } from '../reports/answer.ts'
import { createCsvWriter } from '../reports/csv.ts'
import { fingerprintOf } from '../reports/cursor.ts'
import { startExport } from '../reports/export.ts'
import { type Format, parseReport, parseTopN, type ReportRequest } from '../reports/params.ts'
import { createParquetWriter } from '../reports/parquet.ts'
import { etagOf, hasTag, openReport, type ReportDeps, runReport } from '../reports/report.ts'
import { endOf } from '../reports/state.ts'
import { reportAnswers, TimeseriesParams, TopNParams } from '../schemas.ts'
import type { Server } from '../server.ts'

const pinnedSeconds = 3_600
/** Exports under way in this process: each holds a page of rows. */
const exportsMax = 8
let exporting = 0

const mediaTypes = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8',
  parquet: 'application/vnd.apache.parquet',
} as const satisfies Record<Format, string>

/** The first format that an Accept header names; JSON where it names none. */
function acceptedFormat(accept = ''): Format {
  const named = accept.split(',').map((type) => type.split(';')[0]?.trim().toLowerCase())
  const formats = Object.keys(mediaTypes) as Format[]
  const found = named.map((type) => formats.find((f) => mediaTypes[f].split(';')[0] === type))
  return found.find((format) => format !== undefined) ?? 'json'
}

/** The parameters of a report, with the format that the request asks for in either way. */
export const withFormat = <T extends { readonly format?: Format }>(
  query: T,
  request: FastifyRequest,
): T & { readonly format: Format } => ({
  ...query,
  format: query.format ?? acceptedFormat(request.headers.accept),
})

interface Answering {
  readonly deps: ReportDeps
  /** Narrowed to what the key may see. */
  readonly asked: ReportRequest
  readonly principal: Principal
  readonly ifNoneMatch: string
}

const compact = (time: number) => new Date(time).toISOString().slice(0, 16).replaceAll(/[-:]/g, '')

async function sendFile(
  { deps, asked, principal, ifNoneMatch }: Answering,
  format: 'csv' | 'parquet',
  reply: FastifyReply,
) {
  if (exporting >= exportsMax) {
    throw new ClickledgerError('too-many-requests', 'Too many exports are under way.')
  }
  exporting++
  let isStreaming = false
  try {
    const state = await openReport(deps, asked)
    const etag = `W/"${fingerprintOf([etagOf(asked, state), format])}"`
    reply.header('etag', etag).header('cache-control', 'private, no-cache')
    if (hasTag(ifNoneMatch, etag)) return reply.code(304).send()
    const { approximate } = deps
    const end = endOf(asked, state.published.boundary)
    const { runs, next, truncated, ...meta } = metaOf({
      ...{ request: asked, end, state, approximate, truncated: false, next: null },
    })
    const columns = columnsOf(asked)
    const file =
      format === 'csv' ? createCsvWriter(columns) : createParquetWriter(columns, { ...meta, runs })
    const stream = await startExport(deps, asked, state, file)
    stream.once('close', () => exporting--)
    isStreaming = true
    const { cursor, ...query } = asked
    const what = { kind: 'reports', format, query } as const
    await auditExport(deps.catalogue, deps.now(), principal, what).catch((error: unknown) => {
      stream.destroy()
      throw error
    })
    const name = `clicks-${compact(asked.start)}-${compact(end)}.${format}`
    return reply
      .header('content-disposition', `attachment; filename="${name}"`)
      .header('clickledger-meta', JSON.stringify(meta))
      .type(mediaTypes[format])
      .send(stream)
  } finally {
    if (!isStreaming) exporting--
  }
}

async function sendJson({ deps, asked, ifNoneMatch }: Answering, reply: FastifyReply) {
  const outcome = await runReport(deps, asked, ifNoneMatch)
  // Kept by the client, never by a shared cache. What bears no cursor is asked about each time: a
  // backfill may publish final hours anew. A cursor names its runs, so its page is what it is.
  const kept = outcome.isPinned ? `max-age=${pinnedSeconds}, immutable` : 'no-cache'
  reply.header('etag', outcome.etag).header('cache-control', `private, ${kept}`)
  if (outcome.kind === 'not-modified') return reply.code(304).send()
  // Rows have whatever columns were asked for: the schema describes them, it does not serialise them.
  return reply.serializer(JSON.stringify).send(outcome.answer)
}

/** Answers a report of what the key may see, or 304. */
export async function answerReport(
  deps: ReportDeps,
  asked: ReportRequest,
  format: Format,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const principal = principalOf(request)
  const ifNoneMatch = request.headers['if-none-match'] ?? ''
  const own = { ...deps, caller: callerOf(principal, reply) }
  const answering = { deps: own, asked: scoped(asked, principal), principal, ifNoneMatch }
  reply.header('vary', 'authorization, accept')
  return format === 'json' ? sendJson(answering, reply) : sendFile(answering, format, reply)
}

export function addReportRoutes(app: Server, deps: ReportDeps): void {
  app.get(
    '/v1/reports/clicks/timeseries',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['reports'],
        summary: 'Clicks by time and dimensions',
        description:
          'Buckets without clicks are left out, unless `zero_fill`. Pages follow `meta.next`: each is answered at the boundary of the first, from the same runs, or not at all (410).',
        querystring: TimeseriesParams,
        response: reportAnswers,
      },
    },
    (request, reply) => {
      const query = withFormat(request.query, request)
      return answerReport(deps, parseReport(query, deps.now()), query.format, request, reply)
    },
  )
  app.get(
    '/v1/reports/clicks/topN',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['reports'],
        summary: 'The values of a dimension with the most clicks',
        querystring: TopNParams,
        response: reportAnswers,
      },
    },
    (request, reply) => {
      const query = withFormat(request.query, request)
      return answerReport(deps, parseTopN(query, deps.now()), query.format, request, reply)
    },
  )
}
