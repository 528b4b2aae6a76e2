// GET /v1/freshness: how fresh the answers are.

import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { everyRole } from '../auth.ts'
import { describeFreshness, type FactsReader } from '../freshness.ts'
import { answers, Freshness } from '../schemas.ts'
import type { Server } from '../server.ts'

export interface FreshnessDeps {
  readonly catalogue: Queryable
  readonly facts: FactsReader
  readonly now: () => number
}

export function addFreshnessRoute(app: Server, { catalogue, facts, now }: FreshnessDeps): void {
  app.get(
    '/v1/freshness',
    {
      config: { roles: everyRole },
      schema: {
        tags: ['operation'],
        summary: 'Boundary, watermark and the lag of every layer',
        response: answers(Freshness),
      },
    },
    async (_, reply) => {
      const known = await facts.read()
      const answer = describeFreshness(now(), known, await boundaryInForce(catalogue))
      return reply.serializer(JSON.stringify).send(answer)
    },
  )
}
