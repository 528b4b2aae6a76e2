// The catalogue's rows, read and written for all kinds alike. Every change names the revision it is
// made to, in the statement itself: of two who read the same one writes, the other is told.
import { places, type Queryable, type SqlValue } from '#platform/catalogue/port.ts'
import type { Fields, FieldValue, Resource } from './resources.ts'

export interface Stored {
  readonly id: string
  readonly revision: number
  readonly fields: Fields
  readonly archived: boolean
  /** Milliseconds. */
  readonly createdAt: number
}

type Row = Record<string, SqlValue>

const fieldNames = ({ fields }: Resource) => Object.keys(fields)
const columnsOf = (resource: Resource): string =>
  [resource.id, ...fieldNames(resource), 'revision', 'archived_at', 'created_at'].join(', ')

function toSql(value: FieldValue | undefined): SqlValue {
  if (typeof value === 'boolean') return value ? 1 : 0
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function fromSql(resource: Resource, row: Row): Stored {
  const entries = Object.entries(resource.fields).map(
    ([name, { schema }]): [string, FieldValue] => {
      const value = row[name] ?? ''
      const { type } = schema as { type?: string }
      if (type === 'boolean') return [name, Number(value) !== 0]
      return [name, type === 'array' ? JSON.parse(String(value)) : String(value)]
    },
  )
  return {
    id: String(row[resource.id]),
    revision: Number(row.revision),
    fields: Object.fromEntries(entries),
    archived: row.archived_at !== null,
    createdAt: Number(row.created_at),
  }
}

/** One row among those of the owners; undefined where there is none. @param owners - empty: all */
export async function findOne(
  catalogue: Queryable,
  resource: Resource,
  id: string,
  owners: readonly string[],
): Promise<Stored | undefined> {
  const own = owners.length === 0 ? '' : `AND ${resource.owner} IN (${places(owners.length, 2)})`
  const [row] = await catalogue.query<Row>(
    `SELECT ${columnsOf(resource)} FROM ${resource.name} WHERE ${resource.id} = $1 ${own}`,
    [id, ...owners],
  )
  return row && fromSql(resource, row)
}

export interface Listing {
  readonly owners: readonly string[]
  /** Id of the last row of the page before; empty: from the start. */
  readonly after: string
  readonly limit: number
  /** Values by field. */
  readonly filters: Readonly<Record<string, string>>
  readonly archived: boolean | undefined
}

/** Rows in the order of their ids. */
export async function findMany(
  catalogue: Queryable,
  resource: Resource,
  { owners, after, limit, filters, archived }: Listing,
): Promise<Stored[]> {
  const params: SqlValue[] = [after, limit]
  const conditions = [`${resource.id} > $1`]
  const among = (column: string, values: readonly string[]) => {
    conditions.push(`${column} IN (${places(values.length, params.length + 1)})`)
    params.push(...values)
  }
  if (owners.length > 0) among(resource.owner, owners)
  for (const [column, value] of Object.entries(filters)) among(column, [value])
  if (archived !== undefined) conditions.push(`archived_at IS ${archived ? 'NOT NULL' : 'NULL'}`)
  const rows = await catalogue.query<Row>(
    `SELECT ${columnsOf(resource)} FROM ${resource.name} WHERE ${conditions.join(' AND ')}
     ORDER BY ${resource.id} LIMIT $2`,
    params,
  )
  return rows.map((row) => fromSql(resource, row))
}

/** Makes a row; undefined where the id is taken. */
export async function insertOne(
  tx: Queryable,
  resource: Resource,
  { id, now, fields, archived }: Omit<Change, 'revision'>,
): Promise<Stored | undefined> {
  const names = fieldNames(resource)
  const stamps: Record<string, number> = { created_at: now }
  if (archived) stamps.archived_at = now
  if (resource.name === 'ads') stamps.updated_at = now
  const columns = [resource.id, ...names, ...Object.keys(stamps)]
  const [row] = await tx.query<Row>(
    `INSERT INTO ${resource.name} (${columns.join(', ')}) VALUES (${places(columns.length)})
     ON CONFLICT (${resource.id}) DO NOTHING RETURNING ${columnsOf(resource)}`,
    [id, ...names.map((name) => toSql(fields[name])), ...Object.values(stamps)],
  )
  return row && fromSql(resource, row)
}

export interface Change {
  readonly id: string
  /** The revision that is changed. */
  readonly revision: number
  readonly now: number
  readonly fields: Fields
  readonly archived: boolean
}

/** Changes a row; undefined where it no longer is at that revision. */
export async function updateOne(
  tx: Queryable,
  resource: Resource,
  { id, revision, now, fields, archived }: Change,
): Promise<Stored | undefined> {
  const names = fieldNames(resource)
  const values: SqlValue[] = names.map((name) => toSql(fields[name]))
  const sets = names.map((name, i) => `${name} = $${i + 1}`)
  const at = (value: SqlValue) => `$${values.push(value)}`
  // What is archived already stays archived since then.
  sets.push(archived ? `archived_at = coalesce(archived_at, ${at(now)})` : 'archived_at = NULL')
  if (resource.name === 'ads') sets.push(`updated_at = ${at(now)}`)
  const [row] = await tx.query<Row>(
    `UPDATE ${resource.name} SET ${sets.join(', ')}, revision = revision + 1
     WHERE ${resource.id} = ${at(id)} AND revision = ${at(revision)}
     RETURNING ${columnsOf(resource)}`,
    values,
  )
  return row && fromSql(resource, row)
}
