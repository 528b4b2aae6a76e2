// The shapes of the catalogue's requests and answers, made from its fields.
import { type TSchema, Type } from 'typebox'
import type { Resource } from './resources.ts'

export const closed = { additionalProperties: false }
const archivedSchema = Type.Boolean({
  description: 'Left out by placements; clicks on it still redirect and count.',
})

const fieldSchemas = ({ fields }: Resource) =>
  Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema]))

export const rowSchema = (resource: Resource) =>
  Type.Object({
    [resource.id]: Type.String(),
    ...fieldSchemas(resource),
    archived: archivedSchema,
    revision: Type.Integer({ description: 'Also the `etag` of GET.' }),
    created_at: Type.String(),
  })

export const optional = (schemas: Record<string, TSchema>) =>
  Object.fromEntries(Object.entries(schemas).map(([name, s]) => [name, Type.Optional(s)]))

/** What GET shows beside the fields may be sent back: the id must fit, the rest is not looked at. */
const echoed = (resource: Resource) =>
  optional({ [resource.id]: Type.String(), revision: Type.Integer(), created_at: Type.String() })

export const replacement = (resource: Resource) =>
  Type.Object(
    {
      ...Object.fromEntries(
        Object.entries(resource.fields).map(([name, { schema, otherwise }]) => [
          name,
          otherwise ? Type.Optional(schema) : schema,
        ]),
      ),
      archived: Type.Optional(archivedSchema),
      ...echoed(resource),
    },
    closed,
  )

export const patch = (resource: Resource) =>
  Type.Object(
    { ...optional({ ...fieldSchemas(resource), archived: archivedSchema }), ...echoed(resource) },
    { ...closed, minProperties: 1 },
  )
