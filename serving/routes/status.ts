// GET /v1/status: everything an operator asks first. Totals are merged over all of time, as a report.
import { Type } from 'typebox'
import type { BoundaryRecord } from '#platform/boundaries.ts'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Heartbeat } from '#platform/heartbeats.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import type { LayerName } from '#schemas/heartbeats.ts'
import type { QueryGate } from '../admission/query-gate.ts'
import { operators } from '../auth.ts'
import { describeFreshness, type Facts, type FactsReader } from '../freshness.ts'
import { defaultMetrics } from '../reports/params.ts'
import { runsOf } from '../runs.ts'
import { answers } from '../schemas.ts'
import type { Server } from '../server.ts'

const dayMs = 86_400_000
const runsShown = 10

export interface StatusDeps {
  readonly catalogue: Queryable
  readonly facts: FactsReader
  readonly gate: QueryGate
  readonly olap: Pick<OlapStore, 'health'>
  readonly now: () => number
}

const describe = (now: number, heartbeats: readonly Heartbeat<LayerName>[]) =>
  heartbeats.map(({ node, reportedAt, body }) => ({
    node,
    age_seconds: Math.max(0, now - reportedAt) / 1000,
    ...body,
  }))

/** Merged totals of all clicks, and what only the speed layer knows. */
async function totalsOf(gate: QueryGate, now: number, published: BoundaryRecord, facts: Facts) {
  const [row] = await gate.query({
    start: 0,
    end: now + dayMs,
    boundary: published.boundary,
    granularity: 'all',
    timeZone: 'UTC',
    dimensions: [],
    filters: [],
    metrics: defaultMetrics,
    limit: 1,
  })
  const counted = facts.speed.map(({ body }) => body.counts)
  return {
    gross: row?.metrics.gross_click_count ?? 0,
    valid: row?.metrics.click_count ?? 0,
    duplicate: row?.metrics.duplicate_click_count ?? 0,
    invalid: row?.metrics.fraudulent_click_count ?? 0,
    copies: counted.reduce((sum, { copies }) => sum + copies, 0),
    dead_lettered: counted.reduce((sum, { deadLettered }) => sum + deadLettered, 0),
  }
}

export function addStatusRoute(app: Server, deps: StatusDeps): void {
  const { catalogue, facts, gate, olap, now } = deps
  app.get(
    '/v1/status',
    {
      config: { roles: operators },
      schema: {
        tags: ['operation'],
        summary: 'Layers, lags, boundary, counts by status, last runs',
        description: '`copies` and `dead_lettered` count since the speed layer started.',
        response: answers(Type.Object({}, { additionalProperties: true })),
      },
    },
    async (_, reply) => {
      const known = await facts.readAnew()
      const published = await boundaryInForce(catalogue)
      const time = now()
      const { layers: lags, ...freshness } = describeFreshness(time, known, published)
      return reply.serializer(JSON.stringify).send({
        ...freshness,
        boundary_published_by: published.publishedBy,
        boundary_reason: published.reason,
        lags,
        olap: await olap.health(),
        counts: await totalsOf(gate, time, published, known),
        layers: {
          ingest: describe(time, known.ingest),
          speed: describe(time, known.speed),
          archive: describe(time, known.archive),
          serving: describe(time, known.serving),
        },
        runs: await runsOf(catalogue, { limit: runsShown }),
      })
    },
  )
}
