// API keys: made here and shown once, listed, rotated with a grace period, revoked.
import { Type } from 'typebox'
import { parseInstant } from '#core/buckets.ts'
import { makeApiKey, prefixOfKey } from '#platform/api-keys.ts'
import { type Catalogue, places, type Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { listKeys, revokeKey, rotateKey } from '../access/key-store.ts'
import { audit } from '../audit.ts'
import { admins, principalOf } from '../auth.ts'
import { answers, NewKey } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface KeyRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
  /** Empties this process's memory of keys: what is revoked here ends here at once. */
  readonly forgetKeys: () => void
}

const secondMs = 1_000
const graceSecondsDefault = 86_400
const graceSecondsMax = 30 * 86_400
const limitDefault = 100
const limitMax = 1_000
const closed = { additionalProperties: false }

const IsoOrNull = Type.Union([Type.String(), Type.Null()])
const Key = Type.Object({
  key_id: Type.String(),
  prefix: Type.String({ description: 'Its beginning, for recognition.' }),
  role: Type.String(),
  advertiser_ids: Type.Array(Type.String()),
  publisher_ids: Type.Array(Type.String()),
  name: Type.String(),
  created_at: Type.String(),
  expires_at: IsoOrNull,
  revoked_at: IsoOrNull,
  last_used_at: Type.Union([Type.String(), Type.Null()], { description: 'To the minute.' }),
  replaced_by: Type.Union([Type.String(), Type.Null()], {
    description: 'The key that took over when this one was rotated.',
  }),
  state: Type.Enum(['active', 'expired', 'revoked']),
})
const Params = Type.Object({ key_id: Type.String({ minLength: 1, maxLength: 128 }) })

interface Tenants {
  readonly role: string
  readonly advertiserIds: readonly string[]
  readonly publisherIds: readonly string[]
}

const refuse = (detail: string): never => {
  throw new ClickledgerError('bad-request', detail)
}

interface AskedTenants {
  readonly role: string
  readonly advertiser_id?: string
  readonly advertiser_ids?: string[]
  readonly publisher_id?: string
  readonly publisher_ids?: string[]
}

function tenantsOf(asked: AskedTenants): Tenants {
  const { role, advertiser_id, advertiser_ids, publisher_id, publisher_ids } = asked
  if (advertiser_id !== undefined && advertiser_ids) refuse('give advertiser_id or advertiser_ids')
  if (publisher_id !== undefined && publisher_ids) refuse('give publisher_id or publisher_ids')
  const advertiserIds = advertiser_ids ?? (advertiser_id === undefined ? [] : [advertiser_id])
  const publisherIds = publisher_ids ?? (publisher_id === undefined ? [] : [publisher_id])
  if ((role === 'advertiser') !== advertiserIds.length > 0) {
    refuse('advertiser_id belongs to the role advertiser, which needs it')
  }
  if ((role === 'publisher') !== publisherIds.length > 0) {
    refuse('publisher_id belongs to the role publisher, which needs it')
  }
  return { role, advertiserIds, publisherIds }
}

async function missing(tx: Queryable, kind: 'advertiser' | 'publisher', ids: readonly string[]) {
  if (ids.length === 0) return undefined
  const rows = await tx.query<{ id: string }>(
    `SELECT ${kind}_id AS id FROM ${kind}s WHERE ${kind}_id IN (${places(ids.length)})`,
    ids,
  )
  const known = new Set(rows.map(({ id }) => id))
  return ids.find((id) => !known.has(id))
}

/** A tenant's key names its tenants, and nobody else's key names one. */
async function checkTenants(tx: Queryable, { advertiserIds, publisherIds }: Tenants) {
  const advertiser = await missing(tx, 'advertiser', advertiserIds)
  if (advertiser) refuse(`there is no advertiser ${advertiser}; import its ads first`)
  const publisher = await missing(tx, 'publisher', publisherIds)
  if (publisher) refuse(`there is no publisher ${publisher}; make it with POST /v1/publishers`)
}

function expiryOf(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined
  const time = parseInstant(text, 'UTC')
  if (time === undefined) return refuse('expires_at: an instant such as 2027-01-01T00:00:00Z')
  if (time <= now) return refuse('expires_at: must be in the future')
  return time
}

const administration = (summary: string, description: string) => ({
  ...{ tags: ['administration'], summary, description },
})

function addCreateRoute(app: Server, { catalogue, now }: KeyRouteDeps): void {
  app.post(
    '/v1/keys',
    {
      config: { roles: admins },
      schema: {
        ...administration(
          'Make an API key',
          'The key is in this answer and nowhere else: only its hash is kept.',
        ),
        body: NewKey,
        response: answers(
          Type.Object({
            key: Type.String(),
            key_id: Type.String(),
            prefix: Type.String(),
            role: Type.String(),
            advertiser_id: Type.Optional(Type.String()),
            advertiser_ids: Type.Optional(Type.Array(Type.String())),
            publisher_id: Type.Optional(Type.String()),
            publisher_ids: Type.Optional(Type.Array(Type.String())),
            name: Type.Optional(Type.String()),
            expires_at: Type.Optional(Type.String()),
          }),
          201,
        ),
      },
    },
    async (request, reply) => {
      const { role, name, expires_at } = request.body
      const tenants = tenantsOf(request.body)
      const expiresAt = expiryOf(expires_at, now())
      const { key, keyId } = await catalogue.transaction(async (tx) => {
        await checkTenants(tx, tenants)
        const made = await makeApiKey(tx, now(), {
          ...{ ...tenants, role },
          ...(name === undefined ? {} : { name }),
          ...(expiresAt === undefined ? {} : { expiresAt }),
        })
        await audit(tx, now(), principalOf(request), 'keys.create', made.keyId, request.body)
        return made
      })
      const prefix = prefixOfKey(key)
      return reply.code(201).send({ key, key_id: keyId, prefix, ...request.body })
    },
  )
}

function addListRoute(app: Server, { catalogue, now }: KeyRouteDeps): void {
  app.get(
    '/v1/keys',
    {
      config: { roles: admins },
      schema: {
        ...administration('API keys, without the keys', 'In the order of their ids.'),
        querystring: Type.Object(
          {
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limitMax })),
            after: Type.Optional(
              Type.String({ maxLength: 128, description: '`next` of the last page.' }),
            ),
            ended: Type.Optional(Type.Boolean({ description: 'Also expired and revoked ones.' })),
          },
          closed,
        ),
        response: answers(Type.Object({ data: Type.Array(Key), next: IsoOrNull })),
      },
    },
    async (request) => {
      const { limit = limitDefault, after = '', ended = false } = request.query
      const rows = await listKeys(catalogue, now(), { after, limit: limit + 1, ended })
      const data = rows.slice(0, limit)
      return { data, next: rows.length > limit ? (data.at(-1)?.key_id ?? null) : null }
    },
  )
}

function addRotateRoute(app: Server, { catalogue, now, forgetKeys }: KeyRouteDeps): void {
  app.post(
    '/v1/keys/:key_id/rotate',
    {
      config: { roles: admins, errors: ['key-state'] },
      preValidation: async (asked: { body: unknown }) => {
        asked.body ??= {} // all of it has defaults
      },
      schema: {
        ...administration(
          'Replace an API key; the old one stays good for a while',
          'The new key has the same role, tenants, name and length of life, and is shown here only.',
        ),
        params: Params,
        body: Type.Object(
          {
            grace_seconds: Type.Optional(
              Type.Integer({
                ...{ minimum: 0, maximum: graceSecondsMax },
                description: 'How long the old key stays good. Default: a day.',
              }),
            ),
          },
          closed,
        ),
        response: answers(Type.Object({ key: Type.String(), made: Key, old: Key }), 201),
      },
    },
    async (request, reply) => {
      const { key_id } = request.params
      const graceMs = (request.body.grace_seconds ?? graceSecondsDefault) * secondMs
      const outcome = await catalogue.transaction(async (tx) => {
        const rotated = await rotateKey(tx, now(), { keyId: key_id, graceMs })
        const detail = { replaced_by: rotated.made.key_id, good_until: rotated.old.expires_at }
        await audit(tx, now(), principalOf(request), 'keys.rotate', key_id, detail)
        return rotated
      })
      forgetKeys()
      return reply.code(201).send(outcome)
    },
  )
}

function addRevokeRoute(app: Server, { catalogue, now, forgetKeys }: KeyRouteDeps): void {
  app.delete(
    '/v1/keys/:key_id',
    {
      config: { roles: admins, errors: ['key-state'] },
      schema: {
        ...administration(
          'Revoke an API key',
          'In force at once in this process, everywhere within 10 seconds. Again changes nothing.',
        ),
        params: Params,
        response: answers(Key),
      },
    },
    async (request) => {
      const { key_id } = request.params
      const revoked = await catalogue.transaction(async (tx) => {
        const record = await revokeKey(tx, now(), key_id)
        await audit(tx, now(), principalOf(request), 'keys.revoke', key_id)
        return record
      })
      forgetKeys()
      return revoked
    },
  )
}

export function addKeyRoutes(app: Server, deps: KeyRouteDeps): void {
  addCreateRoute(app, deps)
  addListRoute(app, deps)
  addRotateRoute(app, deps)
  addRevokeRoute(app, deps)
}
