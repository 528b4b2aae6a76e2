// What machines ask: alive, ready, metrics. No key: they tell nothing about clicks of anyone.
import { Registry } from 'prom-client'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Readiness } from '#platform/layer.ts'
import { within } from '#platform/wait.ts'
import type { FactsReader } from '../freshness.ts'
import type { Server } from '../server.ts'

const readyWithinMs = 2_000

/** Ready: the boundary can be read, and the OLAP store answers. Rejects where not. */
export function createReadiness(catalogue: Queryable, facts: FactsReader) {
  return async (): Promise<Readiness> => {
    await within(Promise.all([boundaryInForce(catalogue), facts.read()]), readyWithinMs)
    return { ready: true, status: 'ready' }
  }
}

export interface SystemDeps {
  readonly readiness: () => Promise<Readiness>
  readonly exposition: () => Promise<string>
}

export function addSystemRoutes(app: Server, { readiness, exposition }: SystemDeps): void {
  const hidden = { schema: { hide: true } }
  app.get('/livez', hidden, async () => ({ status: 'alive' }))
  app.get('/readyz', hidden, readiness)
  app.get('/metrics', hidden, async (_, reply) => {
    reply.header('cache-control', 'no-store').type(Registry.PROMETHEUS_CONTENT_TYPE)
    return exposition()
  })
}
