// The body of POST /druid/v2/sql: Druid's fields, read once. Fields and context keys that are not known
// here are refused, not passed on: among Druid's are some that widen what a query sees.
import { canonicalZone } from '#core/buckets.ts'
import { limits } from '#schemas/limits.ts'
import { quoted, refusal } from './refusal.ts'

export const resultFormats = ['object', 'array', 'objectLines', 'arrayLines', 'csv'] as const
export type ResultFormat = (typeof resultFormats)[number]

export interface SqlParameter {
  readonly type: string
  readonly value: string | number | boolean | null
}

export interface SqlRequest {
  readonly query: string
  readonly format: ResultFormat
  readonly header: boolean
  readonly typesHeader: boolean
  readonly sqlTypesHeader: boolean
  readonly parameters: readonly SqlParameter[]
  readonly timeZone: string
  /** Rows at most, besides what the statement says. */
  readonly outerLimit: number | undefined
  /** Never above the server's own limit. */
  readonly timeoutMs: number | undefined
  readonly queryId: string | undefined
  readonly estimate: { readonly countDistinct?: boolean; readonly topN?: boolean }
}

const fields = [
  'query',
  'resultFormat',
  'header',
  'typesHeader',
  'sqlTypesHeader',
  'parameters',
  'context',
]
/** Sent by Grafana's plugin beside the statement. */
const idleFields = ['queryType', 'ID']
const usedKeys = [
  ...['sqlQueryId', 'queryId', 'sqlTimeZone', 'timeout', 'sqlOuterLimit'],
  ...['useApproximateCountDistinct', 'useApproximateTopN'],
]
/** Known to be sent by clients, and without effect here. */
const idleKeys = ['useCache', 'populateCache', 'priority', 'skipEmptyBuckets', 'sqlStringifyArrays']

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function refuseOthers(object: Fields, known: readonly string[], what: string): void {
  const other = Object.keys(object).find((key) => !known.includes(key))
  if (other !== undefined) {
    throw refusal(`${what} ${quoted(other)} is not supported. Known are: ${known.join(', ')}.`)
  }
}

function flag(object: Fields, name: string): boolean | undefined {
  const value = object[name] ?? undefined
  if (value === undefined || typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  throw refusal(`${name}: true or false.`)
}

function count(object: Fields, name: string): number | undefined {
  const value = Number(object[name] ?? Number.NaN)
  if (object[name] === undefined || object[name] === null) return undefined
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw refusal(`context.${name}: a whole number.`)
}

function zoneOf({ sqlTimeZone = 'UTC' }: Fields): string {
  const zone = typeof sqlTimeZone === 'string' ? canonicalZone(sqlTimeZone) : undefined
  if (zone !== undefined) return zone
  throw refusal('context.sqlTimeZone: the name of a time zone, such as UTC or America/New_York.')
}

function queryIdOf({ sqlQueryId, queryId }: Fields): string | undefined {
  const id = sqlQueryId ?? queryId
  if (id === undefined || (typeof id === 'string' && /^[\w.:-]{1,128}$/.test(id))) return id
  throw refusal('context.sqlQueryId: up to 128 letters, digits, and ._:-')
}

function parametersOf(value: unknown): SqlParameter[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.length > limits.sqlParametersMax) {
    throw refusal(`parameters: a list of at most ${limits.sqlParametersMax} of {"type", "value"}.`)
  }
  return value.map((entry: unknown) => {
    const { type, value: given = null } = isObject(entry) ? entry : {}
    const isValue = given === null || ['string', 'number', 'boolean'].includes(typeof given)
    if (typeof type !== 'string' || !isValue) {
      throw refusal('parameters: each is like {"type": "VARCHAR", "value": "DE"}.')
    }
    return { type, value: given as SqlParameter['value'] }
  })
}

/** @throws ClickledgerError `sql-refused` */
export function parseSqlRequest(body: unknown): SqlRequest {
  if (!isObject(body)) throw refusal('The body is a JSON object: {"query": "SELECT .."}.')
  refuseOthers(body, [...fields, ...idleFields], 'The field')
  if ((body.queryType ?? 'sql') !== 'sql')
    throw refusal('queryType: native queries are not answered.')
  const { query, resultFormat = 'object', context = {} } = body
  if (typeof query !== 'string') throw refusal('query: a text, the SQL statement.')
  const format = resultFormats.find((known) => known === resultFormat)
  if (!format) throw refusal(`resultFormat: one of ${resultFormats.join(', ')}.`)
  if (!isObject(context)) throw refusal('context: a JSON object.')
  refuseOthers(context, [...usedKeys, ...idleKeys], 'The context key')
  const header = flag(body, 'header') ?? false
  const typesHeader = flag(body, 'typesHeader') ?? false
  const sqlTypesHeader = flag(body, 'sqlTypesHeader') ?? false
  if (!header && (typesHeader || sqlTypesHeader)) {
    throw refusal('typesHeader and sqlTypesHeader need header.')
  }
  const countDistinct = flag(context, 'useApproximateCountDistinct')
  const topN = flag(context, 'useApproximateTopN')
  return {
    ...{ query, format, header, typesHeader, sqlTypesHeader },
    parameters: parametersOf(body.parameters),
    timeZone: zoneOf(context),
    outerLimit: count(context, 'sqlOuterLimit'),
    timeoutMs: count(context, 'timeout') || undefined,
    queryId: queryIdOf(context),
    estimate: {
      ...(countDistinct === undefined ? {} : { countDistinct }),
      ...(topN === undefined ? {} : { topN }),
    },
  }
}
