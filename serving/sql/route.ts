// POST /druid/v2/sql, as Druid's clients call it. BI tools send the key as the password of HTTP Basic,
// which serving/auth.ts reads like a bearer token.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { limits } from '#schemas/limits.ts'
import { callerOf } from '../admission/caller.ts'
import { auditExport } from '../audit.ts'
import { everyRole, principalOf, tenantFilters } from '../auth.ts'
import type { Server } from '../server.ts'
import { sendDruidError } from './druid-errors.ts'
import { contentTypes } from './formats.ts'
import { answerSql, type SqlDeps } from './gateway.ts'
import { parseSqlRequest } from './request.ts'

/** Room for escapes, parameters and context around the statement. */
const bodyBytesMax = limits.sqlBytesMax * 4

async function answer(deps: SqlDeps, request: FastifyRequest, reply: FastifyReply) {
  const principal = principalOf(request)
  const asked = parseSqlRequest(request.body)
  const outcome = await answerSql(deps, asked, tenantFilters(principal), callerOf(principal, reply))
  const { body, isOfClicks, boundary, watermark, isDegraded } = outcome
  if (isOfClicks) {
    const { format, query } = asked
    const what = { kind: 'sql', format, query: { statement: query } } as const
    await auditExport(deps.catalogue, deps.now(), principal, what).catch((error: unknown) => {
      if (typeof body !== 'string') body.destroy()
      throw error
    })
  }
  return reply
    .type(contentTypes[asked.format])
    .header('cache-control', 'no-store')
    .header('x-druid-sql-query-id', asked.queryId ?? request.id)
    .header('x-clickledger-boundary', new Date(boundary).toISOString())
    .header('x-clickledger-watermark', watermark ? new Date(watermark).toISOString() : '')
    .header('x-clickledger-degraded', String(isDegraded))
    .send(body)
}

export function addSqlRoute(app: Server, deps: SqlDeps): void {
  for (const url of ['/druid/v2/sql', '/druid/v2/sql/']) {
    app.route({
      method: 'POST',
      url,
      config: { roles: everyRole },
      bodyLimit: bodyBytesMax,
      errorHandler: sendDruidError,
      // The API's description is of /v1/; of this one docs/BI.md and Druid's own docs tell.
      schema: { hide: true },
      handler: (request, reply) => answer(deps, request, reply),
    })
  }
  // What Druid's clients ask first, to see whether anybody is there.
  app.get('/status', { schema: { hide: true } }, () => ({
    version: '33.0.0',
    modules: [],
    memory: {},
  }))
}
