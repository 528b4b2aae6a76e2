// The Avro schema of the raw click. A published schema never changes: schemas/avro/ keeps each
// version as a file, and a test holds the newest to the field table.
import type avro from 'avsc'
import { type FieldType, rawFields, unknownValue } from './fields.ts'

/** Schema ids of clicks.raw, oldest first. The last one is what ingest writes. */
export const rawSchemaIds = [1] as const

export const rawWriterId = rawSchemaIds[rawSchemaIds.length - 1] as number

const avroTypes: Record<FieldType, avro.Schema> = {
  string: 'string',
  timestamp: { type: 'long', logicalType: 'timestamp-millis' },
  int: 'int',
  long: 'long',
}

/** The schema that the field table describes now. Every field has a default, so old records stay readable. */
export function currentRawSchema(): avro.Schema {
  return {
    type: 'record',
    name: 'RawClick',
    namespace: 'clickledger',
    doc: 'A raw click: facts only, stamped once by ingest.',
    fields: rawFields.map((f) => ({
      name: f.name,
      type: avroTypes[f.type],
      default: unknownValue(f.type),
      doc: f.doc,
    })),
  } as avro.Schema
}
