// The one table of fields. Avro schemas, TypeScript types, Parquet columns and JSON forms are
// derived from it (schemas/avro.ts, schemas/columns.ts); nothing else names a field's type.
import { dimensions } from './dimensions.ts'

export type FieldType = 'string' | 'timestamp' | 'int' | 'long'

export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly doc: string
}

/** What a field holds that nothing is known about. */
export const unknownValue = (type: FieldType): '' | 0 => (type === 'string' ? '' : 0)

interface TypeOf {
  string: string
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  timestamp: number
  int: number
  /** Below 2^53. */
  long: number
}

type RecordOf<Fields extends readonly Field[]> = {
  [F in Fields[number] as F['name']]: TypeOf[F['type']]
}

const dimensionFields = dimensions.map(({ name, doc }) => ({
  name,
  doc,
  type: 'string' as const,
}))

const identity = [
  {
    name: 'event_id',
    type: 'string',
    doc: 'UUID in lower case. With advertiser_id: the identity.',
  },
  { name: 'event_time', type: 'timestamp', doc: 'When the click happened; reports count by it.' },
  { name: 'received_time', type: 'timestamp', doc: 'When an ingest node accepted it.' },
] as const satisfies readonly Field[]

const actor = [
  { name: 'visitor', type: 'string', doc: 'user_hash, else a hash of ip_hash and user_agent.' },
  { name: 'ip_hash', type: 'string', doc: 'Keyed hash of the IP address; empty if unknown.' },
] as const satisfies readonly Field[]

/** A raw click: facts only, stamped once by ingest. Empty strings mean "unknown", never null. */
export const rawFields = [
  ...identity,
  ...dimensionFields,
  ...actor,
  { name: 'user_hash', type: 'string', doc: 'Keyed hash of user_id; empty without consent.' },
  { name: 'impression_id', type: 'string', doc: 'The ad view that led to the click.' },
  { name: 'ip_prefix', type: 'string', doc: 'The /24 (IPv4) or /48 (IPv6) network.' },
  { name: 'user_agent', type: 'string', doc: 'User-Agent header, cut at a limit.' },
  { name: 'referrer_url', type: 'string', doc: 'Referer header or field, cut at a limit.' },
  { name: 'marks', type: 'string', doc: 'Marks that ingest stamped, sorted, joined by commas.' },
  { name: 'additional_params', type: 'string', doc: 'A JSON object of strings; empty if none.' },
  { name: 'ingest_node', type: 'string', doc: 'The ingest node that stamped the facts.' },
] as const satisfies readonly Field[]

/** A judged click, as compact JSON on clicks.judged: one line per click, copies already collapsed. */
export const judgedFields = [
  ...identity,
  ...dimensionFields,
  ...actor,
  { name: 'status', type: 'string', doc: 'valid, duplicate or invalid.' },
  { name: 'rule', type: 'string', doc: 'Id of the rule that caught the click; empty if valid.' },
  { name: 'rule_set', type: 'int', doc: 'Version of the rule set that judged.' },
  { name: 'raw_partition', type: 'int', doc: 'Where the raw click is: partition of clicks.raw.' },
  { name: 'raw_offset', type: 'long', doc: 'Where the raw click is: offset in that partition.' },
  { name: 'judged_time', type: 'timestamp', doc: 'When the speed layer judged it.' },
] as const satisfies readonly Field[]

/** Columns of an archived raw click: the facts and the position in the log. */
export const archivedFields = [
  ...rawFields,
  { name: 'raw_partition', type: 'int', doc: 'Partition of clicks.raw.' },
  { name: 'raw_offset', type: 'long', doc: 'Offset in that partition.' },
] as const satisfies readonly Field[]

export type RawClick = RecordOf<typeof rawFields>
export type JudgedClick = RecordOf<typeof judgedFields>
export type ArchivedClick = RecordOf<typeof archivedFields>
