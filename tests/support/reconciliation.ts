// Reconciliation on the layers of a test: what the scheduler would hand to it, in this process.
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import type { ExecutionContext } from 'ava'
import { type Reconciliation, reconciliationOf } from '#platform/reconciliation.ts'
import { createRuleSets } from '#platform/rule-sets.ts'
import type { RawClick } from '#schemas/fields.ts'
import { hourMs, hourOf } from '#schemas/paths.ts'
import type { DifferenceClass, DifferenceExample } from '#schemas/reconciliation.ts'
import { findDifferences } from '../../batch-layer/reconcile/differences-worker.ts'
import { type ReconcileParts, reconcileDue } from '../../batch-layer/reconcile/reconcile.ts'
import { type Layers, startLayers } from './layers.ts'
import { clickWith, seed } from './random-clicks.ts'
import { embedded } from './stacks.ts'

export const start = Date.UTC(2026, 2, 1, 10)

/** A click that shares nothing with any other. */
export const alone = (id: string, at: number): RawClick =>
  clickWith({
    ...{ event_id: id, advertiser_id: 'adv-0', ad_id: id, visitor: id, ip_hash: id },
    ...{ event_time: at, received_time: at },
  })

/** Layers on which these clicks are judged and sealed; hours are compared when the test says so. */
export async function sealedLayers(
  t: ExecutionContext,
  clicks: readonly RawClick[],
): Promise<Layers> {
  t.log(`seed ${seed}`)
  const env = { CLICKLEDGER_RECONCILE_INTERVAL: 'PT1H', ...embedded.env(t) }
  const layers = await startLayers(env, start + 5 * 60_000)
  t.teardown(() => layers.close())
  await layers.append(clicks)
  await layers.judged()
  layers.clock.advance(6 * hourMs)
  await layers.sealed(start + 5 * hourMs)
  return layers
}

export function reconcileParts({ settings, clock, catalogue, log }: Layers): ReconcileParts {
  return {
    ...{ catalogue, log, now: clock.now, waitMs: 30_000 },
    historyMs: settings.CLICKLEDGER_SPEED_WINDOW,
    ruleSetOf: createRuleSets(catalogue),
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    compare: (input) => findDifferences({ ...input, settings }),
  }
}

export interface Found {
  readonly reconciliation: Reconciliation
  /** Clicks by class. */
  readonly classes: Partial<Record<DifferenceClass, number>>
  examples(name: DifferenceClass): readonly DifferenceExample[]
}

/** Everything that is recorded of the published hours. */
export async function readFound({ catalogue }: Layers): Promise<Found> {
  const reconciliation = await reconciliationOf(catalogue, { from: 0, to: 1e15 })
  const classes: Partial<Record<DifferenceClass, number>> = {}
  for (const { class: name, clicks } of reconciliation.differences) {
    classes[name] = (classes[name] ?? 0) + clicks
  }
  const examples = (name: DifferenceClass) =>
    reconciliation.differences.flatMap((d) => (d.class === name ? d.examples : []))
  return { reconciliation, classes, examples }
}

/** Compares what is due, also what was just looked at. */
export async function reconcileAgain(layers: Layers): Promise<Found> {
  layers.clock.advance(61_000)
  await reconcileDue(reconcileParts(layers))
  return readFound(layers)
}

/** Compares everything that is published once more, due or not. */
export async function reconcileAll(layers: Layers): Promise<Found> {
  await layers.catalogue.query('DELETE FROM reconciled_hours')
  return reconcileAgain(layers)
}

/** Injures the archive of judged clicks: each file of the hour becomes what `select` says of it. */
export async function rewriteJudged(
  { catalogue, objects, settings }: Layers,
  time: number,
  select: (file: string) => string,
): Promise<void> {
  const hour = hourOf(time)
  const files = await catalogue.query<{ path: string }>(
    'SELECT path FROM judged_files WHERE hour >= $1 AND hour < $2',
    [hour, hour + hourMs],
  )
  const db = await DuckDBInstance.create(':memory:')
  const connection = await db.connect()
  try {
    for (const { path } of files) {
      const made = join(settings.CLICKLEDGER_DATA_DIR, 'injured.parquet')
      const from = `'${await objects.localPath(path)}'`
      await connection.run(`COPY (${select(from)}) TO '${made}' (FORMAT parquet)`)
      await objects.put(path, { path: made })
    }
  } finally {
    connection.closeSync()
    db.closeSync()
  }
}
