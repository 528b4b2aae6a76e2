// The loop of reconciliation, beside that of the scheduler: a rebuild or a sealing waits for none of
// it. Two loops at once compare twice and record the same.
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import type { Logger } from '#platform/log.ts'
import { pause } from '#platform/wait.ts'
import { differenceClassNames } from '#schemas/reconciliation.ts'
import type { RebuildMetrics } from '../rebuild/metrics.ts'
import { type ReconcileParts, reconcileDue } from './reconcile.ts'

/** Longer than the judged archive takes for a flush that was asked for. */
const coverageWaitMs = 30_000

export interface ReconciliationLoop {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly log: EventLog
  readonly logger: Logger
  readonly metrics: RebuildMetrics
  readonly now: () => number
  readonly signal: AbortSignal
  readonly ruleSetOf: ReconcileParts['ruleSetOf']
  /** Whether this process is the one that does the work now. */
  isActive(): boolean
  readonly compare: ReconcileParts['compare']
}

/** Compares what is due again and again, until the signal aborts. */
export async function runReconciliation(loop: ReconciliationLoop): Promise<void> {
  const { settings, catalogue, log, logger, metrics, now, signal, compare, ruleSetOf } = loop
  const onFailure = (error: unknown) => {
    metrics.reconciliationFailures.inc()
    logger.error({ err: error }, 'reconciliation failed; trying again')
  }
  const parts: ReconcileParts = {
    ...{ catalogue, log, now, signal, compare, ruleSetOf, onFailure, waitMs: coverageWaitMs },
    historyMs: settings.CLICKLEDGER_SPEED_WINDOW,
    taskClicksMax: settings.CLICKLEDGER_REBUILD_TASK_CLICKS,
    onDifferences(clicks) {
      for (const name of differenceClassNames)
        metrics.differences.set({ class: name }, clicks[name])
    },
  }
  while (!signal.aborted) {
    if (loop.isActive()) await reconcileDue(parts).catch(onFailure)
    await pause(settings.CLICKLEDGER_RECONCILE_INTERVAL, signal)
  }
}
