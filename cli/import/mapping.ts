// A mapping file says how the rows of a foreign log become clicks: which columns, constants and
// templates form which field. It is data: parsed and checked once, here, with all faults listed.
import { readFile } from 'node:fs/promises'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { WrongUse } from '../exit.ts'
import { createTimeParser } from './time-format.ts'

const closed = { additionalProperties: false }
const name = Type.String({ minLength: 1 })
const Column = Type.Object(
  {
    column: name,
    prefix: Type.Optional(Type.String()),
    nullValues: Type.Optional(Type.Array(Type.String())),
  },
  closed,
)
const Constant = Type.Object({ value: Type.String() }, closed)
const Template = Type.Object({ template: Type.String({ minLength: 1 }) }, closed)
const Source = Type.Union([Column, Constant, Template])
const IpSource = Type.Union([
  Type.Object(
    {
      column: name,
      nullValues: Type.Optional(Type.Array(Type.String())),
      maskedOctet: Type.Optional(
        Type.String({ pattern: '^(\\d|[1-9]\\d|1\\d\\d|2[0-4]\\d|25[0-5])$' }),
      ),
      integerIp: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  Constant,
])
const TimeSource = Type.Object({ column: name, format: name, zone: Type.Optional(name) }, closed)

const MappingSchema = Type.Object(
  {
    description: Type.Optional(Type.String()),
    format: Type.Union([Type.Literal('csv'), Type.Literal('tsv'), Type.Literal('jsonl')]),
    /** csv and tsv: the first line names the columns. */
    header: Type.Optional(Type.Boolean()),
    /** csv and tsv without a header: the names of the columns, in order. */
    columns: Type.Optional(Type.Array(name, { minItems: 1 })),
    /** Whether quotes enclose values; default: csv yes, tsv no. */
    quoted: Type.Optional(Type.Boolean()),
    /** Values that mean "unknown", besides the empty one. */
    nullValues: Type.Optional(Type.Array(Type.String())),
    fields: Type.Object(
      {
        event_id: Type.Optional(Source),
        ad_id: Source,
        campaign_id: Type.Optional(Source),
        publisher_id: Type.Optional(Source),
        impression_id: Type.Optional(Source),
        user_id: Type.Optional(Source),
        ip_address: Type.Optional(IpSource),
        user_agent: Type.Optional(Source),
        referrer_url: Type.Optional(Source),
        timestamp_ms: TimeSource,
        additional_params: Type.Optional(Type.Record(Type.String(), Source)),
      },
      closed,
    ),
    /** Where --create-ads finds the owner of an ad, when --advertiser does not name one. */
    ads: Type.Optional(
      Type.Object(
        { advertiser_id: Type.Optional(Source), campaign_id: Type.Optional(Source) },
        closed,
      ),
    ),
  },
  closed,
)

export type Mapping = Static<typeof MappingSchema>
export type Source = Static<typeof Source>
export type IpSource = Static<typeof IpSource>

const faultsShownMax = 20
export const templateColumn = /\{([^{}]+)\}/g

/** The columns that a source reads. */
export function columnsOf(source: Source | IpSource | { column: string }): string[] {
  if ('column' in source) return [source.column]
  if ('template' in source) {
    return [...source.template.matchAll(templateColumn)].map((match) => match[1] ?? '')
  }
  return []
}

/** Every column that the mapping reads; those that a file does not have are refused at its start. */
export function columnsRead(mapping: Mapping): string[] {
  const { additional_params: params = {}, ...fields } = mapping.fields
  const sources = [
    ...Object.values(fields),
    ...Object.values(params),
    ...Object.values(mapping.ads ?? {}),
  ]
  return [...new Set(sources.flatMap((source) => (source ? columnsOf(source) : [])))]
}

/**
 * Checks a mapping.
 * @throws WrongUse listing the faults
 */
export function parseMapping(value: unknown, where: string): Mapping {
  if (!Value.Check(MappingSchema, value)) {
    const faults = [...Value.Errors(MappingSchema, value)]
      .slice(0, faultsShownMax)
      .map((fault) => `  ${fault.instancePath || '/'}: ${fault.message}`)
    throw new WrongUse(`${where} is not a mapping:\n${[...new Set(faults)].join('\n')}`)
  }
  const { format, header = false, columns, fields } = value
  if (format !== 'jsonl' && header === (columns !== undefined)) {
    throw new WrongUse(
      `${where}: a ${format} mapping needs "header": true or "columns", and not both`,
    )
  }
  if (columns) {
    const missing = columnsRead(value).filter((column) => !columns.includes(column))
    if (missing.length > 0) throw new WrongUse(`${where}: no such column: ${missing.join(', ')}`)
  }
  try {
    createTimeParser(fields.timestamp_ms.format, fields.timestamp_ms.zone)
  } catch (cause) {
    throw new WrongUse(`${where}: ${(cause as Error).message}`)
  }
  return value
}

/** Reads a mapping file. @throws WrongUse where it cannot be read or is no mapping */
export async function readMapping(file: string): Promise<Mapping> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new WrongUse(`cannot read the mapping ${file}`, cause)
  }
  return parseMapping(value, file)
}
