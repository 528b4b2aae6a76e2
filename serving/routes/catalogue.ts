// The catalogue as resources: read by those it belongs to, changed by operators with If-Match. Nothing
// is deleted, since clicks refer to it by id: DELETE archives.
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { audit } from '../audit.ts'
import { principalOf } from '../auth.ts'
import { demandMatch, etagOf, isUnchanged, preconditionsOf } from '../catalogue/preconditions.ts'
import {
  type Fields,
  type FieldValue,
  ownersOf,
  type Resource,
  resources,
} from '../catalogue/resources.ts'
import { closed, optional, patch, replacement, rowSchema } from '../catalogue/shapes.ts'
import { findMany, findOne, insertOne, type Stored, updateOne } from '../catalogue/store.ts'
import { answers, Id } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface ResourceRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

const limitDefault = 100
const limitMax = 1_000
const shown = (resource: Resource, { id, fields, archived, revision, createdAt }: Stored) => ({
  ...{ [resource.id]: id, ...fields, archived, revision },
  created_at: new Date(createdAt).toISOString(),
})

function send(reply: FastifyReply, resource: Resource, stored: Stored, status = 200) {
  reply.header('etag', etagOf(stored.revision)).header('cache-control', 'private, no-cache')
  return reply.code(status).send(shown(resource, stored))
}

const paramsOf = (resource: Resource) => Type.Object({ [resource.id]: Id })
const idOf = (resource: Resource, { params }: { params: unknown }): string =>
  (params as Readonly<Record<string, string>>)[resource.id] ?? ''

const notFound = (resource: Resource, id: string) =>
  new ClickledgerError('not-found', `there is no ${resource.one} ${id}, or it is not yours`)

type Body = Readonly<Record<string, FieldValue | number | undefined>>

/** The row that a body asks for. @param before - undefined: what the body leaves out is the default */
function wanted(resource: Resource, id: string, body: Body, before: Stored | undefined): Fields {
  const named = body[resource.id]
  if (named !== undefined && named !== id) {
    throw new ClickledgerError('bad-request', `${resource.id} is ${id} in the path`)
  }
  const entries = Object.entries(resource.fields).map(([name, { otherwise }]) => {
    const value = body[name] ?? before?.fields[name] ?? otherwise?.(id) ?? ''
    return [name, value as FieldValue] as const
  })
  return Object.fromEntries(entries)
}

function refuseMove(resource: Resource, before: Stored, after: Fields): void {
  for (const [name, { isFixed }] of Object.entries(resource.fields)) {
    if (!isFixed || before.fields[name] === after[name]) continue
    throw new ClickledgerError(
      'ad-owner',
      `${name}: ${resource.one} ${before.id} belongs to ${before.fields[name]}, for good`,
    )
  }
}

interface Act {
  readonly action: 'replace' | 'change' | 'archive'
  readonly body: Body
}

/** Changes what is there, in the caller's transaction. */
async function change(
  tx: Queryable,
  resource: Resource,
  request: FastifyRequest,
  { before, now, act }: { readonly before: Stored; readonly now: number; readonly act: Act },
): Promise<Stored> {
  const { action, body } = act
  const { id, revision } = before
  const fields = wanted(resource, id, body, action === 'replace' ? undefined : before)
  refuseMove(resource, before, fields)
  if (action !== 'archive') await resource.check?.(tx, id, fields)
  const archived = Boolean(body.archived ?? (action === 'replace' ? false : before.archived))
  const after = await updateOne(tx, resource, { id, revision, now, fields, archived })
  if (!after) throw new ClickledgerError('precondition-failed')
  const detail = { ...body, revision: after.revision }
  await audit(tx, now, principalOf(request), `${resource.name}.${action}`, id, detail)
  return after
}

function addReadRoutes(app: Server, resource: Resource, { catalogue }: ResourceRouteDeps): void {
  const filters = Object.entries(resource.fields).filter(([, field]) => field.filters)
  const filterNames = filters.map(([name]) => name)
  app.get(
    `/v1/${resource.name}`,
    {
      config: { roles: resource.readers },
      schema: {
        tags: ['catalogue'],
        summary: `${resource.name[0]?.toUpperCase()}${resource.name.slice(1)} in order of their ids`,
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limitMax })),
            after: Type.Optional(
              Type.String({ maxLength: 128, description: '`next` of the last page.' }),
            ),
            archived: Type.Optional(Type.Boolean({ description: 'Only those, or none of them.' })),
            ...optional(Object.fromEntries(filterNames.map((name) => [name, Id]))),
          },
          closed,
        ),
        response: answers(
          Type.Object({
            data: Type.Array(rowSchema(resource)),
            next: Type.Union([Type.String(), Type.Null()]),
          }),
        ),
      },
    },
    async (request, reply) => {
      const { limit = limitDefault, after = '', archived } = request.query
      const query = request.query as Readonly<Record<string, unknown>>
      const narrowed = filterNames.flatMap((name) =>
        query[name] === undefined ? [] : [[name, String(query[name])] as const],
      )
      const owners = ownersOf(resource, principalOf(request))
      const asked = Object.fromEntries(narrowed)
      const owner = asked[resource.owner]
      if (owners.length > 0 && owner !== undefined && !owners.includes(owner)) {
        throw new ClickledgerError('not-found')
      }
      const listing = { owners, after, limit: limit + 1, filters: asked, archived }
      const rows = await findMany(catalogue, resource, listing)
      const data = rows.slice(0, limit)
      const next = rows.length > limit ? (data.at(-1)?.id ?? null) : null
      return reply.send({ data: data.map((row) => shown(resource, row)), next })
    },
  )
  app.get(
    `/v1/${resource.name}/:${resource.id}`,
    {
      config: { roles: resource.readers },
      schema: {
        ...{ tags: ['catalogue'], summary: `One ${resource.one}, with its revision as etag` },
        params: paramsOf(resource),
        response: answers(rowSchema(resource)),
      },
    },
    async (request, reply) => {
      const id = idOf(resource, request)
      const stored = await findOne(
        catalogue,
        resource,
        id,
        ownersOf(resource, principalOf(request)),
      )
      if (!stored) throw notFound(resource, id)
      if (!isUnchanged(request.headers['if-none-match'], stored.revision)) {
        return send(reply, resource, stored)
      }
      return reply.code(304).header('etag', etagOf(stored.revision)).send()
    },
  )
}

const conditional = ['precondition-failed', 'precondition-required'] as const
/** What checks of a row find (serving/catalogue). */
const refusals = ['ad-owner', 'bad-target'] as const

function addPutRoute(app: Server, resource: Resource, deps: ResourceRouteDeps): void {
  const { catalogue, now } = deps
  app.put(
    `/v1/${resource.name}/:${resource.id}`,
    {
      config: { roles: resource.writers, errors: [...conditional, ...refusals] },
      schema: {
        ...{ tags: ['catalogue'], summary: `Create or replace one ${resource.one}` },
        description:
          'Replacing needs `If-Match` with the `etag` of your last GET; `If-None-Match: *` only creates. What the body leaves out gets its default.',
        ...{ params: paramsOf(resource), body: replacement(resource) },
        response: { ...answers(rowSchema(resource)), 201: rowSchema(resource) },
      },
    },
    async (request, reply) => {
      const id = idOf(resource, request)
      const body = request.body as Body
      const conditions = preconditionsOf(request.headers)
      const { stored, made } = await catalogue.transaction(async (tx) => {
        const before = await findOne(tx, resource, id, [])
        if (before) {
          demandMatch(conditions, before.revision)
          const act = { action: 'replace', body } as const
          return {
            stored: await change(tx, resource, request, { before, now: now(), act }),
            made: false,
          }
        }
        if (conditions.match !== undefined) {
          throw new ClickledgerError('precondition-failed', `there is no ${resource.one} ${id}`)
        }
        const fields = wanted(resource, id, body, undefined)
        await resource.check?.(tx, id, fields)
        const stored = await insertOne(tx, resource, {
          ...{ id, now: now(), fields },
          archived: body.archived === true,
        })
        if (!stored) throw new ClickledgerError('precondition-required')
        await audit(tx, now(), principalOf(request), `${resource.name}.create`, id, body)
        return { stored, made: true }
      })
      return send(reply, resource, stored, made ? 201 : 200)
    },
  )
}

function addChangeRoutes(app: Server, resource: Resource, deps: ResourceRouteDeps): void {
  const { catalogue, now } = deps
  const perform = (request: FastifyRequest, id: string, act: Act) =>
    catalogue.transaction(async (tx) => {
      const before = await findOne(tx, resource, id, [])
      if (!before) throw notFound(resource, id)
      const conditions = preconditionsOf(request.headers)
      const overwrites = act.action !== 'archive' || conditions.match !== undefined
      if (overwrites) demandMatch(conditions, before.revision)
      return change(tx, resource, request, { before, now: now(), act })
    })
  const params = paramsOf(resource)
  app.patch(
    `/v1/${resource.name}/:${resource.id}`,
    {
      config: { roles: resource.writers, errors: [...conditional, ...refusals] },
      schema: {
        ...{ tags: ['catalogue'], summary: `Change some fields of one ${resource.one}` },
        description: 'Needs `If-Match`. What the body leaves out stays.',
        ...{ params, body: patch(resource), response: answers(rowSchema(resource)) },
      },
    },
    async (request, reply) => {
      const act = { action: 'change', body: request.body as Body } as const
      return send(reply, resource, await perform(request, idOf(resource, request), act))
    },
  )
  app.delete(
    `/v1/${resource.name}/:${resource.id}`,
    {
      config: { roles: resource.writers, errors: ['precondition-failed'] },
      schema: {
        ...{ tags: ['catalogue'], summary: `Archive one ${resource.one}` },
        description:
          'Nothing is deleted: clicks refer to it, and go on redirecting and counting. PATCH with `archived: false` brings it back. `If-Match` is possible, not needed.',
        ...{ params, response: answers(rowSchema(resource)) },
      },
    },
    async (request, reply) => {
      const act = { action: 'archive', body: { archived: true } } as const
      return send(reply, resource, await perform(request, idOf(resource, request), act))
    },
  )
}

export function addResourceRoutes(app: Server, deps: ResourceRouteDeps): void {
  for (const resource of resources) {
    addReadRoutes(app, resource, deps)
    addPutRoute(app, resource, deps)
    addChangeRoutes(app, resource, deps)
  }
}
