// What machines ask: alive, ready, metrics. No key: they tell nothing about clicks of anyone.
import type { Registry } from 'prom-client'
import { boundaryInForce } from '#platform/boundaries.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { FactsReader } from '../freshness.ts'
import type { Server } from '../server.ts'

const readyWithinMs = 2_000

export interface SystemDeps {
  readonly catalogue: Queryable
  readonly facts: FactsReader
  readonly registry: Registry
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new ClickledgerError('unavailable', `no answer in ${ms} ms`)),
      ms,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export function addSystemRoutes(app: Server, { catalogue, facts, registry }: SystemDeps): void {
  const hidden = { schema: { hide: true } }
  app.get('/livez', hidden, async () => ({ status: 'alive' }))
  app.get('/readyz', hidden, async () => {
    await within(Promise.all([boundaryInForce(catalogue), facts.read()]), readyWithinMs)
    return { status: 'ready' }
  })
  app.get('/metrics', hidden, async (_, reply) => {
    reply.header('cache-control', 'no-store').type(registry.contentType)
    return registry.metrics()
  })
}
