// GET /v1/audit: who did what, from the newest to the oldest.
import { Type } from 'typebox'
import { parseInstant } from '#core/buckets.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type AuditPosition, readAudit } from '../audit.ts'
import { admins } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const limitDefault = 100
const limitMax = 1_000

const text = (description: string, example: string) =>
  Type.Optional(Type.String({ description, maxLength: 256, examples: [example] }))

const Query = Type.Object(
  {
    since: text('From this instant on, ISO 8601. Default: the beginning.', '2026-11-22T00:00:00Z'),
    until: text('Before this instant. Default: now.', '2026-11-23T00:00:00Z'),
    actor: text('What the actor begins with: a role, or role and prefix of the key.', 'admin:'),
    action: text('What the action begins with.', 'keys.'),
    subject: text('The id of what was acted on.', 'ad-1'),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limitMax })),
    cursor: text('`next` of the last page.', ''),
  },
  { additionalProperties: false },
)

const Entry = Type.Object({
  at: Type.String(),
  actor: Type.String({ description: 'Role, prefix of the key, and its name.' }),
  action: Type.String(),
  subject: Type.String(),
  detail: Type.Object({}, { additionalProperties: true }),
})

function instantOf(name: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise
  const time = parseInstant(value, 'UTC')
  if (time !== undefined) return time
  throw new ClickledgerError('bad-request', `${name}: an instant such as 2026-11-22T00:00:00Z`)
}

function positionOf(cursor: string | undefined): AuditPosition | undefined {
  if (cursor === undefined) return undefined
  const [, at, auditId] = /^(\d{1,15})_([0-9a-f-]{36})$/.exec(cursor) ?? []
  if (at !== undefined && auditId !== undefined) return { at: Number(at), auditId }
  throw new ClickledgerError('bad-request', 'cursor: send `next` of the last page as it is')
}

export interface AuditRouteDeps {
  readonly catalogue: Queryable
  readonly now: () => number
}

export function addAuditRoute(app: Server, { catalogue, now }: AuditRouteDeps): void {
  app.get(
    '/v1/audit',
    {
      config: { roles: admins },
      schema: {
        tags: ['administration'],
        summary: 'The audit log: administrative acts and exports of data',
        querystring: Query,
        response: answers(
          Type.Object({ data: Type.Array(Entry), next: Type.Union([Type.String(), Type.Null()]) }),
        ),
      },
    },
    async (request, reply) => {
      const { since, until, actor = '', action = '', subject = '', cursor } = request.query
      const { limit = limitDefault } = request.query
      const entries = await readAudit(catalogue, {
        since: instantOf('since', since, 0),
        until: instantOf('until', until, now() + 1),
        ...{ actor, action, subject, limit: limit + 1, before: positionOf(cursor) },
      })
      const shown = entries.slice(0, limit)
      const last = shown.at(-1)
      const next = entries.length > limit && last ? `${last.at}_${last.auditId}` : null
      const data = shown.map(({ at, auditId: _, ...rest }) => ({
        at: new Date(at).toISOString(),
        ...rest,
      }))
      // Details have fields of their own: the schema describes them, it does not serialise them.
      return reply.serializer(JSON.stringify).send({ data, next })
    },
  )
}
