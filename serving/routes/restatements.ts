// What publication has changed of final numbers, and why. Append-only: a cursor never misses a row.
import { Type } from 'typebox'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { principalOf } from '../auth.ts'
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

interface Row {
  restatement_id: number
  published_at: number
  run_id: string
  rule_set: number
  reason: string
  advertiser_id: string
  ad_id: string
  hour: number
  before: string
  after: string
}

const iso = (time: number) => new Date(time).toISOString()
const describe = (row: Row) => ({
  advertiser_id: row.advertiser_id,
  ad_id: row.ad_id,
  hour: iso(Number(row.hour)),
  before: JSON.parse(row.before),
  after: JSON.parse(row.after),
  reason: row.reason,
  run_id: row.run_id,
  rule_set: Number(row.rule_set),
  published_at: iso(Number(row.published_at)),
})

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
      const own = principalOf(request).advertiserId
      if (own !== '' && advertiser_id !== '' && advertiser_id !== own) {
        throw new ClickledgerError('not-found')
      }
      const after = positionOf(since)
      const rows = await catalogue.query<Row>(
        `SELECT * FROM restatements WHERE restatement_id > $1 AND ($2 = '' OR advertiser_id = $2)
         ORDER BY restatement_id LIMIT $3`,
        [after, own || advertiser_id, limit],
      )
      return { data: rows.map(describe), next: String(rows.at(-1)?.restatement_id ?? after) }
    },
  )
}
