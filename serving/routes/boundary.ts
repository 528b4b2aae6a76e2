// Why the boundary stands where it stands, and what it waits for.
import { Type } from 'typebox'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { newestReport, readHeartbeats } from '#platform/heartbeats.ts'
import { operators } from '../auth.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const historyMax = 20

interface Row {
  boundary: number
  published_at: number
  published_by: string
  reason: string
  run_id: string
  proof: string
}

const iso = (time: number) => new Date(time).toISOString()
const describe = (row: Row) => ({
  boundary: iso(Number(row.boundary)),
  published_at: iso(Number(row.published_at)),
  published_by: row.published_by,
  reason: row.reason,
  run_id: row.run_id || null,
})

export interface BoundaryRouteDeps {
  readonly catalogue: Queryable
  readonly now: () => number
}

export function addBoundaryRoute(app: Server, { catalogue, now }: BoundaryRouteDeps): void {
  app.get(
    '/v1/boundary',
    {
      config: { roles: operators },
      schema: {
        tags: ['batch'],
        summary: 'The boundary, its proof, and what it waits for',
        response: answers(Type.Object({ boundary: Type.String() }, { additionalProperties: true })),
      },
    },
    async () => {
      await boundaryInForce(catalogue)
      const rows = await catalogue.query<Row>(
        `SELECT boundary, published_at, published_by, reason, run_id, proof FROM boundaries
         ORDER BY boundary_id DESC LIMIT ${historyMax}`,
      )
      const [inForce] = rows
      const schedulers = await readHeartbeats(catalogue, 'rebuild')
      const newest = newestReport(schedulers.filter(({ body }) => body.isActive))
      return {
        ...(inForce ? describe(inForce) : {}),
        boundary: iso(Number(inForce?.boundary ?? 0)),
        proof: JSON.parse(inForce?.proof ?? '{}'),
        next: newest && {
          node: newest.node,
          looked_seconds_ago: Math.max(0, Math.round(now() - newest.reportedAt) / 1000),
          candidate: newest.body.candidate === null ? null : iso(newest.body.candidate),
          waits_for: newest.body.obstacles,
          proof: newest.body.proof,
        },
        history: rows.map(describe),
      }
    },
  )
}
