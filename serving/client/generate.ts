// `npm run docs`: the operations of /openapi.json as TypeScript. Only what JSON Schema here uses is
// known; anything else becomes `unknown`, which hides nothing that a caller could rely on.
import { type JsonSchema, type OpenApi, type Operation, operationsOf } from '../openapi/document.ts'

const quoted = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name))

const primitives: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  null: 'null',
}

function objectType(schema: JsonSchema): string {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>)
  const required = new Set((schema.required ?? []) as string[])
  const fields = properties.map(
    ([name, one]) => `${quoted(name)}${required.has(name) ? '' : '?'}: ${typeOf(one)}`,
  )
  // An answer may gain fields at any time; a request with an unknown one is refused.
  const open = schema.additionalProperties
  if (open === false) return `{ ${fields.join('; ')} }`
  const patterns = Object.values((schema.patternProperties ?? {}) as Record<string, JsonSchema>)
  const [pattern] = patterns
  if (fields.length === 0 && pattern) return `Record<string, ${typeOf(pattern)}>`
  if (fields.length === 0) return 'Record<string, unknown>'
  return `{ ${fields.join('; ')}; [more: string]: unknown }`
}

/** The TypeScript of a schema. */
export function typeOf(schema: JsonSchema): string {
  const { type, enum: values, const: only, anyOf, oneOf } = schema
  const union = (anyOf ?? oneOf) as readonly JsonSchema[] | undefined
  if (union) return union.map(typeOf).join(' | ')
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(' | ')
  if (only !== undefined) return JSON.stringify(only)
  if (Array.isArray(type)) return type.map((one) => typeOf({ ...schema, type: one })).join(' | ')
  if (type === 'array') return `readonly (${typeOf((schema.items ?? {}) as JsonSchema)})[]`
  if (type === 'object' || schema.properties) return objectType(schema)
  return primitives[String(type)] ?? 'unknown'
}

function parametersPart(operation: Operation, place: 'query' | 'path'): string[] {
  const some = (operation.parameters ?? []).filter((parameter) => parameter.in === place)
  if (some.length === 0) return []
  const fields = some.map(
    ({ name, required, schema = {} }) => `${quoted(name)}${required ? '' : '?'}: ${typeOf(schema)}`,
  )
  const isNeeded = some.some(({ required }) => required)
  return [`${place}${isNeeded ? '' : '?'}: { ${fields.join('; ')} }`]
}

function answerType({ responses }: Operation): string {
  const some = Object.entries(responses).flatMap(([status, { content }]) => {
    const json = content?.['application/json']?.schema
    return Number(status) < 300 && json ? [typeOf(json)] : []
  })
  return [...new Set(some)].join(' | ') || 'unknown'
}

function operationType(operation: Operation): string {
  const { requestBody, operationId = '' } = operation
  const json = requestBody?.content['application/json']?.schema
  const parts = [
    ...parametersPart(operation, 'path'),
    ...parametersPart(operation, 'query'),
    ...(json ? [`body${requestBody?.required ? '' : '?'}: ${typeOf(json)}`] : []),
    `answer: ${answerType(operation)}`,
  ]
  return `  /** ${operation.summary} */\n  ${operationId}: { ${parts.join('; ')} }`
}

/** The text of serving/client/operations.ts, before it is formatted. */
export function clientOperations(document: OpenApi): string {
  const all = operationsOf(document).filter(({ operation }) => operation.operationId)
  const table = all.map(
    ({ method, path, operation }) =>
      `  ${operation.operationId}: ['${method.toUpperCase()}', '${path}'],`,
  )
  return [
    '// Made by `npm run docs` from /openapi.json: change the routes instead.',
    '/** What each operation takes and answers. */',
    'export interface Operations {',
    ...all.map(({ operation }) => operationType(operation)),
    '}',
    '',
    '/** Method and path of each. */',
    'export const operations: Readonly<Record<keyof Operations, readonly [method: string, path: string]>> = {',
    ...table,
    '}',
    '',
  ].join('\n')
}
