// The description of the API without an instance: for the client's generator, the docs and the tests.
import { createLogger } from '#platform/log.ts'
import { createRegistry } from '#platform/metrics.ts'
import { buildApp } from '../app.ts'

interface Media {
  readonly schema?: JsonSchema
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, unknown>>
}

export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly [keyword: string]: unknown
}

export interface Operation {
  readonly operationId?: string
  readonly summary?: string
  readonly description?: string
  readonly tags?: readonly string[]
  readonly deprecated?: boolean
  readonly security?: readonly object[]
  readonly 'x-roles'?: readonly string[]
  readonly parameters?: readonly {
    readonly name: string
    readonly in: 'query' | 'path' | 'header'
    readonly required?: boolean
    readonly description?: string
    readonly schema?: JsonSchema
    readonly example?: unknown
    readonly examples?: unknown
  }[]
  readonly requestBody?: {
    readonly required?: boolean
    readonly content: Readonly<Record<string, Media>>
  }
  readonly responses: Readonly<
    Record<
      string,
      { readonly description?: string; readonly content?: Readonly<Record<string, Media>> }
    >
  >
}

export interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/** All operations, in the order of the document. */
export const operationsOf = ({ paths }: OpenApi) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  )

const notAsked = async () => {
  throw new Error('this serving only describes itself')
}

/** What GET /openapi.json of this version answers. */
export async function describeServing(): Promise<OpenApi> {
  const { app } = await buildApp({
    catalogue: { query: notAsked, transaction: notAsked, close: async () => {} },
    olap: { query: notAsked, sql: notAsked, realtime: notAsked, health: notAsked },
    log: notAsked,
    clock: { now: () => 0 },
    logger: createLogger('serving', 'silent'),
    registry: createRegistry('serving'),
    ...{ queryTimeoutMs: 1, queriesAtOnce: 1, nodeSilenceMs: 1 },
  })
  try {
    await app.ready()
    return JSON.parse(JSON.stringify(app.swagger())) as OpenApi
  } finally {
    await app.close()
  }
}
