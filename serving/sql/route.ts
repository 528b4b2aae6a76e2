// POST /druid/v2/sql, as Druid's clients call it. The key comes as a bearer token, or as the password
// of HTTP Basic, which is all that BI tools offer; the user name says nothing.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { limits } from '#schemas/limits.ts'
import { callerOf } from '../admission/caller.ts'
import { authenticate, everyRole, type KeyLookup, tenantFilters } from '../auth.ts'
import type { Server } from '../server.ts'
import { sendDruidError } from './druid-errors.ts'
import { contentTypes } from './formats.ts'
import { answerSql, type SqlDeps } from './gateway.ts'
import { parseSqlRequest } from './request.ts'

/** Room for escapes, parameters and context around the statement. */
const bodyBytesMax = limits.sqlBytesMax * 4

/** The header with the key as a bearer token, however it came. */
export function asBearer(header: string | undefined): string | undefined {
  const match = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '')
  if (!match?.[1]) return header
  const pair = Buffer.from(match[1], 'base64').toString('utf8')
  return `Bearer ${pair.slice(pair.indexOf(':') + 1)}`
}

export interface SqlRouteDeps extends SqlDeps {
  readonly lookup: KeyLookup
}

async function answer(deps: SqlRouteDeps, request: FastifyRequest, reply: FastifyReply) {
  const principal = await authenticate(
    deps.lookup,
    asBearer(request.headers.authorization),
    everyRole,
  )
  const asked = parseSqlRequest(request.body)
  const outcome = await answerSql(deps, asked, tenantFilters(principal), callerOf(principal, reply))
  const { body, boundary, watermark, isDegraded } = outcome
  return reply
    .type(contentTypes[asked.format])
    .header('cache-control', 'no-store')
    .header('x-druid-sql-query-id', asked.queryId ?? request.id)
    .header('x-clickledger-boundary', new Date(boundary).toISOString())
    .header('x-clickledger-watermark', watermark ? new Date(watermark).toISOString() : '')
    .header('x-clickledger-degraded', String(isDegraded))
    .send(body)
}

export function addSqlRoute(app: Server, deps: SqlRouteDeps): void {
  for (const url of ['/druid/v2/sql', '/druid/v2/sql/']) {
    app.route({
      method: 'POST',
      url,
      bodyLimit: bodyBytesMax,
      errorHandler: sendDruidError,
      // The API's description is of /v1/; of this one docs/BI.md and Druid's own docs tell.
      schema: { hide: true },
      // Before the body is read: strangers send none.
      onRequest: async (request) => {
        await authenticate(deps.lookup, asBearer(request.headers.authorization), everyRole)
      },
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
