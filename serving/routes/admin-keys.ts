// API keys: made here, shown once.
import { Type } from 'typebox'
import { createApiKey } from '#platform/api-keys.ts'
import type { Catalogue, Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { audit } from '../audit.ts'
import { admins, principalOf } from '../auth.ts'
import { answers, NewKey } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface KeyRouteDeps {
  readonly catalogue: Catalogue
  readonly now: () => number
}

interface Tenant {
  readonly role: string
  readonly advertiser_id?: string
  readonly publisher_id?: string
}

/** A tenant's key names exactly its tenant, and nobody else's key names one. */
async function checkTenant(catalogue: Queryable, asked: Tenant): Promise<void> {
  const { role, advertiser_id, publisher_id } = asked
  const refuse = (detail: string) => {
    throw new ClickledgerError('bad-request', detail)
  }
  if ((role === 'advertiser') !== (advertiser_id !== undefined)) {
    refuse('advertiser_id belongs to the role advertiser, which needs it')
  }
  if ((role === 'publisher') !== (publisher_id !== undefined)) {
    refuse('publisher_id belongs to the role publisher, which needs it')
  }
  if (advertiser_id !== undefined) {
    const [row] = await catalogue.query(
      'SELECT advertiser_id FROM advertisers WHERE advertiser_id = $1',
      [advertiser_id],
    )
    if (!row) refuse(`there is no advertiser ${advertiser_id}; import its ads first`)
  }
  if (publisher_id !== undefined) {
    const [row] = await catalogue.query(
      'SELECT publisher_id FROM publishers WHERE publisher_id = $1',
      [publisher_id],
    )
    if (!row) refuse(`there is no publisher ${publisher_id}; make it with POST /v1/publishers`)
  }
}

const prefixChars = 11

export function addKeyRoutes(app: Server, { catalogue, now }: KeyRouteDeps): void {
  app.post(
    '/v1/keys',
    {
      config: { roles: admins },
      schema: {
        tags: ['administration'],
        summary: 'Make an API key',
        description: 'The key is in this answer and nowhere else: only its hash is kept.',
        body: NewKey,
        response: answers(
          Type.Object({
            key: Type.String(),
            prefix: Type.String(),
            role: Type.String(),
            advertiser_id: Type.Optional(Type.String()),
            publisher_id: Type.Optional(Type.String()),
            name: Type.Optional(Type.String()),
          }),
          201,
        ),
      },
    },
    async (request, reply) => {
      const { role, advertiser_id, publisher_id, name } = request.body
      await checkTenant(catalogue, request.body)
      const key = await catalogue.transaction(async (tx) => {
        const made = await createApiKey(tx, now(), {
          role,
          ...(advertiser_id === undefined ? {} : { advertiserId: advertiser_id }),
          ...(publisher_id === undefined ? {} : { publisherId: publisher_id }),
          ...(name === undefined ? {} : { name }),
        })
        const prefix = made.slice(0, prefixChars)
        await audit(tx, now(), principalOf(request), 'keys.create', prefix, request.body)
        return made
      })
      return reply.code(201).send({ key, prefix: key.slice(0, prefixChars), ...request.body })
    },
  )
}
