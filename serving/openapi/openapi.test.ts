// The description of the API is part of it: complete, valid, and held against what routes really do.
import { Validator } from '@seriousme/openapi-schema-validator'
import test from 'ava'
import { createLogger } from '#platform/log.ts'
import { createRegistry } from '#platform/metrics.ts'
import { errors, isErrorCode } from '#schemas/errors.ts'
import { createServingMetrics } from '../metrics.ts'
import { buildServer } from '../server.ts'
import { describeServing, type OpenApi, operationsOf } from './document.ts'

const missing = (document: OpenApi): string[] =>
  operationsOf(document).flatMap(({ method, path, operation }) => {
    const at = `${method.toUpperCase()} ${path}`
    const {
      summary,
      description,
      tags,
      operationId,
      parameters = [],
      responses,
      security,
    } = operation
    const faults: string[] = []
    if (!summary) faults.push('summary')
    if (!description) faults.push('description')
    if (!tags?.length) faults.push('tag')
    if (!operationId) faults.push('operationId')
    if (!security) faults.push('security')
    for (const { name, description: text, schema, example, examples } of parameters) {
      const shows = example ?? examples ?? schema?.enum ?? schema?.minimum
      if (!text) faults.push(`description of ${name}`)
      if (shows === undefined && schema?.type !== 'boolean') faults.push(`example of ${name}`)
    }
    for (const [type, { examples, example }] of Object.entries(
      operation.requestBody?.content ?? {},
    )) {
      if (type === 'application/json' && !examples && !example) faults.push('example of the body')
    }
    for (const [status, response] of Object.entries(responses)) {
      if (!response.description || response.description === 'Default Response') {
        faults.push(`description of ${status}`)
      }
      const json = response.content?.['application/json']
      if (Number(status) < 300 && json && !json.example && !json.examples) {
        faults.push(`example of ${status}`)
      }
    }
    const codes = Object.values(responses).flatMap((response) =>
      Object.keys(response.content?.['application/problem+json']?.examples ?? {}),
    )
    if (!codes.every(isErrorCode) || !codes.includes('internal')) faults.push('problems')
    if (security?.length && !codes.includes('unauthorized')) faults.push('401')
    return faults.map((fault) => `${at}: ${fault}`)
  })

test('valid OpenAPI 3.1', async (t) => {
  const { valid, errors: faults } = await new Validator().validate({ ...(await describeServing()) })
  t.true(valid, JSON.stringify(faults, null, 1)?.slice(0, 2_000))
})

test('every route says what it is, what it takes, gives and refuses, with examples', async (t) => {
  const document = await describeServing()
  t.deepEqual(missing(document), [])
  const ids = operationsOf(document).map(({ operation }) => operation.operationId)
  t.is(new Set(ids).size, ids.length)
})

test('every status that a problem can have is a problem of the list', async (t) => {
  for (const { operation } of operationsOf(await describeServing())) {
    for (const [status, { content }] of Object.entries(operation.responses)) {
      const { examples = {} } = content?.['application/problem+json'] ?? {}
      for (const code of Object.keys(examples)) {
        t.true(isErrorCode(code) && String(errors[code].status) === status, `${status} ${code}`)
      }
    }
  }
})

test('a route that will go away says so, in its answers and in the description', async (t) => {
  const registry = createRegistry('serving')
  const none = async () => {
    throw new Error('not asked')
  }
  const readings = {
    facts: none,
    health: none,
    liveClients: () => 0,
    now: () => 0,
    nodeSilenceMs: 1,
  }
  const metrics = createServingMetrics(registry, {
    ...readings,
    queries: () => ({ running: 0, waiting: 0 }),
  })
  const app = await buildServer({ logger: createLogger('serving', 'silent'), metrics })
  t.teardown(() => app.close())
  const deprecation = { since: '2026-11-22', sunset: '2027-06-01', successor: '/v2/new' }
  app.get('/v1/old', { config: { deprecation }, schema: { tags: ['reports'] } }, async () => ({}))
  const { headers } = await app.inject('/v1/old')
  t.like(headers, {
    deprecation: '@1795305600',
    sunset: 'Tue, 01 Jun 2027 00:00:00 GMT',
    link: '</v2/new>; rel="successor-version"',
  })
  const { paths } = (await app.inject('/openapi.json')).json()
  t.true(paths['/v1/old'].get.deprecated)
})
