// What publication has changed of final numbers, and why. Append-only: a cursor never misses a row.
import { Type } from 'typebox'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { principalOf, seesAdvertiser } from '../auth.ts'
import { readRestatements } from '../restatements.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const limitMax = 10_000
const limitDefault = 1_000

const Query = Type.Object(
  {
    since: Type.Optional(
      Type.String({
        maxLength: 32,
        description: '`next` of the last page; default: from the beginning.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limitMax })),
    advertiser_id: Type.Optional(Type.String({ maxLength: 512 })),
  },
  { additionalProperties: false },
)

function positionOf(since: string | undefined): number {
  if (since === undefined) return 0
  if (/^\d{1,15}$/.test(since)) return Number(since)
  throw new ClickledgerError(
    'bad-request',
    'since: send `next` of the last page as it is, such as 1200',
  )
}

export function addRestatementRoute(app: Server, { catalogue }: { catalogue: Queryable }): void {
  app.get(
    '/v1/restatements',
    {
      config: { roles: ['advertiser', 'engineer', 'admin'] },
      schema: {
        tags: ['reports'],
        summary: 'Changes of final numbers: from, to and why',
        description:
          'Ordered as they were published. Keep `next`, and ask with it again for what comes later.',
        querystring: Query,
        response: answers(
          Type.Object({
            data: Type.Array(Type.Object({}, { additionalProperties: true })),
            next: Type.String(),
          }),
        ),
      },
    },
    async (request) => {
      const { since, limit = limitDefault, advertiser_id = '' } = request.query
      const principal = principalOf(request)
      if (advertiser_id !== '' && !seesAdvertiser(principal, advertiser_id)) {
        throw new ClickledgerError('not-found')
      }
      const shown = advertiser_id === '' ? principal.advertiserIds : [advertiser_id]
      const after = positionOf(since)
      const { data, next } = await readRestatements(catalogue, after, shown, limit)
      return { data, next: String(next) }
    },
  )
}
