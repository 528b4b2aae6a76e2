// /openapi.json: made from the routes themselves, so that it cannot say what they don't do. Here is
// added what is the same for all: names, problems by status, who may use a route, examples.
import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { Problem } from '../schemas.ts'
import { deprecationHeaders, errorsOf, operationId, problemResponses } from './operations.ts'

/** Examples of calls as docs/API.md shows them; each is executed by its test. */
type Examples = Readonly<
  Record<string, { readonly body?: unknown; readonly answer?: unknown; readonly status: number }>
>
const examples: Examples = JSON.parse(
  readFileSync(new URL('./examples.json', import.meta.url), 'utf8'),
)

const tags = [
  { name: 'reports', description: 'Numbers of clicks, and what is known about each.' },
  { name: 'catalogue', description: 'Advertisers, campaigns, ads, publishers and placements.' },
  { name: 'batch', description: 'Rebuilds, backfills, the boundary, reconciliation.' },
  { name: 'operation', description: 'How the platform is doing.' },
  { name: 'administration', description: 'Keys, rules and what was done with them.' },
  { name: 'system', description: 'For machines that watch: no key, nothing about clicks.' },
]

const description = `Reports of ad clicks, merged from the batch view (exact, below the boundary) and the speed view (seconds old, above it). Every row says which side it comes from.

Errors are problem+json (RFC 9457) with a stable \`code\`, what is wrong in \`detail\`, and what to do in \`fix\`. A route that will go away answers with \`deprecation\`, \`sunset\` and \`link\` headers for at least six months before it does. New fields and new parameters may be added at any time; clients ignore what they do not know.`

interface Described extends FastifySchema {
  response?: Readonly<Record<string, object>>
  tags?: readonly string[]
}

/** Adds an example to the answer of a status. */
function withExample(responses: Readonly<Record<string, object>>, name: string) {
  const { answer, status } = examples[name] ?? {}
  const schema = responses[String(status)]
  if (answer === undefined || !schema || 'content' in schema) return responses
  return { ...responses, [String(status)]: { ...schema, examples: [answer] } }
}

function describeRoute(schema: Described, url: string, route: RouteOptions) {
  const method = String(route.method)
  const { roles, errors = [], deprecation } = route.config ?? {}
  const facts = {
    ...{ url, method, roles, errors },
    schema: schema as Record<string, unknown>,
    isReport: schema.tags?.includes('reports') ?? false,
  }
  const name = operationId(method, url)
  const { default: _, ...own } = schema.response ?? {}
  const body = examples[name]?.body
  return {
    ...schema,
    operationId: name,
    security: roles ? [{ key: [] }] : [],
    ...(roles ? { 'x-roles': roles } : {}),
    ...(deprecation ? { deprecated: true, 'x-sunset': deprecation.sunset } : {}),
    ...(schema.body && body !== undefined
      ? { body: { ...(schema.body as object), examples: [body] } }
      : {}),
    response: { ...withExample(own, name), ...problemResponses(errorsOf(facts)) },
  }
}

/** Before any route is added. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'clickledger',
        version: '1',
        description,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags,
      components: {
        schemas: { Problem: Problem as object },
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer', description: 'An API key, or a JWT.' },
        },
      },
      security: [{ key: [] }],
    },
    transform: ({ schema, url, route }) => ({
      url,
      schema: schema?.hide ? schema : describeRoute(schema as Described, url, route),
    }),
  })
  app.addHook('onSend', async (request, reply) => {
    const { deprecation } = request.routeOptions.config
    if (deprecation) reply.headers(deprecationHeaders(deprecation))
  })
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
}
