// A serving app over a filled store, for clients of the gateway.
import type { ExecutionContext } from 'ava'
import { openFixture } from '../../testing/fixture.ts'
import { clicksOf, fill, firstHour, type LoadParts } from './rig.ts'

/** Publishes the boundary that the rig's clicks are made around. */
export async function openSqlServing(
  t: ExecutionContext,
  parts: LoadParts,
  tenants: readonly string[],
) {
  const of = (salt: number) => tenants.flatMap((one, i) => clicksOf(one, 60, salt + i))
  const [batch, speed] = [of(1), of(11)]
  await fill(parts, batch, speed)
  const fixture = await openFixture(t, { store: parts.store, queryTimeoutMs: 30_000 })
  await fixture.catalogue.query(
    `INSERT INTO runs (run_id, kind, status, reason, rule_set, started_at, plan)
     VALUES ('run-1', 'scheduled', 'published', '', 1, 0, '{}')`,
  )
  await fixture.catalogue.query(
    `INSERT INTO published_hours (hour, run_id, rule_set, archive_version, published_at)
     VALUES ($1, 'run-1', 1, 1, 0)`,
    [firstHour],
  )
  return { ...fixture, batch, speed }
}
