// /openapi.json: made from the routes themselves, so that it cannot say what they don't do. Here is
// added what is the same for all: names, problems by status, who may use a route, examples.
import { readFileSync } from 'node:fs'
import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema, RouteOptions } from 'fastify'
import { Problem } from '../schemas.ts'
import { deprecationHeaders, errorsOf, operationId, problemResponses } from './operations.ts'

/** Examples of calls as docs/API.md shows them; each is executed by its test. */
type Examples = Readonly<
  Record<
    string,
    { readonly description: string; readonly body?: unknown; readonly answer?: unknown }
  >
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

const commonParameters: Readonly<Record<string, object>> = {
  ad_id: { description: 'Id of an ad.', examples: ['ad-1'] },
  advertiser_id: { description: 'Only what is of this advertiser.', examples: ['adv-1'] },
  after: { description: '`next` of the last page.', examples: ['ad-2'] },
  campaign_id: { description: 'Only what is of this campaign.', examples: ['spring'] },
  cursor: { description: '`next` of the last page.', examples: ['WzUwMF0'] },
  dimension: { description: 'What the rows are.' },
  event_id: {
    description: 'Id of a click, as its answer named it.',
    examples: ['019ca8f0-5c5e-7b1c-9d4e-3f1a2b3c4d5e'],
  },
  id: { description: 'Its id.', examples: ['3-17'] },
  key_id: { description: 'Id of a key; not the key.', examples: ['key_5f0c1d2e3b4a6978'] },
  limit: { description: 'Items of a page.', examples: [100] },
  publisher_id: { description: 'Only what is of this publisher.', examples: ['pub-1'] },
  run_id: { description: 'Id of a run.', examples: ['01998f2c-6d5e-7c5e-a6ef-1b1c8c1d2e3f'] },
  since: { description: '`next` of the last answer.', examples: ['1200'] },
  slot: { description: 'Id of a placement.', examples: ['front-page'] },
}

/** Names that narrow a list in a query, and are what is asked for in a path. */
const pathParameters: Readonly<Record<string, object>> = {
  ...commonParameters,
  advertiser_id: { description: 'Id of an advertiser.', examples: ['adv-1'] },
  campaign_id: { description: 'Id of a campaign.', examples: ['spring'] },
  publisher_id: { description: 'Id of a publisher.', examples: ['pub-1'] },
}

interface Described extends FastifySchema {
  response?: Readonly<Record<string, object>>
  tags?: readonly string[]
  summary?: string
}

/** Says of parameters that many routes have what they are, where the route does not. */
function withParameters(list: unknown, common: typeof commonParameters): unknown {
  const { properties, ...schema } = (list ?? {}) as { properties?: Record<string, object> }
  if (!properties) return list
  const described = Object.entries(properties).map(([name, own]) => [
    name,
    { ...common[name], ...own },
  ])
  return { ...schema, properties: Object.fromEntries(described) }
}

function exampleOf(schema: object, answer: unknown): object {
  if (answer === undefined) return {}
  const { content } = schema as { content?: Readonly<Record<string, object>> }
  if (!content) return { examples: [answer] }
  const json = { ...content['application/json'], examples: { answer: { value: answer } } }
  return { content: { ...content, 'application/json': json } }
}

/** What a call gives where all is well, with an example. */
function successes({ summary, response = {} }: Described, answer: unknown) {
  return Object.fromEntries(
    Object.entries(response)
      .filter(([status]) => status !== 'default')
      .map(([status, schema]) => [
        status,
        {
          description: summary,
          ...schema,
          ...exampleOf(schema, answer),
        },
      ]),
  )
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
  const { body, answer, description } = examples[name] ?? {}
  return {
    description,
    ...schema,
    ...(schema.querystring
      ? { querystring: withParameters(schema.querystring, commonParameters) }
      : {}),
    ...(schema.params ? { params: withParameters(schema.params, pathParameters) } : {}),
    operationId: name,
    security: roles ? [{ key: [] }] : [],
    ...(roles ? { 'x-roles': roles } : {}),
    ...(deprecation ? { deprecated: true, 'x-sunset': deprecation.sunset } : {}),
    ...(schema.body && body !== undefined
      ? { body: { ...(schema.body as object), examples: [body] } }
      : {}),
    response: { ...successes(schema, answer), ...problemResponses(errorsOf(facts)) },
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
