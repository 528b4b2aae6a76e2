// Runs that somebody asked for: backfills, rollbacks, rehearsals. They wait in the catalogue, so any
// process can take the request, and whoever holds the lease does the work. Staging goes on beside sealing;
// only planning and publishing take their turn with it.
import { persist } from '#platform/catalogue/persist.ts'
import type { Logger } from '#platform/log.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import type { RunPlan } from '#schemas/runs.ts'
import { completePlan, type PlanParts } from './backfill-plan.ts'
import { heldHours, refuseHeld } from './held-hours.ts'
import type { RebuildMetrics } from './metrics.ts'
import { executeRun, type Outcome, type RebuildParts, recorded } from './rebuild.ts'
import { rehearse } from './rehearsal.ts'
import { endRun, type Run, runsIn, savePlan } from './runs.ts'
import { sweepRun } from './sweep.ts'

export interface QueueParts extends RebuildParts, PlanParts {
  readonly logger: Logger
  readonly metrics: RebuildMetrics
  inTurn<T>(work: () => Promise<T>): Promise<T>
}

export function createQueue(parts: QueueParts) {
  const { catalogue, logger, metrics, now, signal } = parts

  /** The plan, complete and recorded: from then on the run holds its hours. */
  const planned = async (run: Run): Promise<RunPlan> => {
    const plan = run.plan.archiveVersion === undefined ? await completePlan(parts, run) : run.plan
    const { hours } = plan
    if (run.kind !== 'rehearsal' && !plan.isDryRun) {
      await refuseHeld(
        catalogue,
        run.runId,
        hours.map(({ hour }) => hour),
      )
    }
    const ruleSet = Math.max(...hours.map((hour) => hour.ruleSet))
    await persist(() => savePlan(catalogue, run.runId, plan, ruleSet), signal)
    return plan
  }

  const perform = async (run: Run): Promise<Outcome> => {
    const plan = run.status === 'approved' ? run.plan : await parts.inTurn(() => planned(run))
    if (plan.isDryRun) {
      await persist(() => endRun(catalogue, run.runId, 'done', now(), { dryRun: true }), signal)
      return undefined
    }
    const complete = { ...run, plan }
    if (run.kind === 'rehearsal') {
      const result = await rehearse(parts, complete)
      await sweepRun(parts, run.runId)
      await persist(() => endRun(catalogue, run.runId, 'done', now(), result), signal)
      return undefined
    }
    return executeRun(parts, complete, { isApproved: run.kind === 'rollback' })
  }

  return {
    /** Does the next run, if there is one. @returns whether there was */
    async step(): Promise<boolean> {
      const approved = await runsIn(catalogue, ['approved'])
      const waiting = await runsIn(catalogue, ['planned'], { queued: true })
      const run = approved[0] ?? waiting[0]
      if (!run) return false
      const logged = { run: run.runId, kind: run.kind }
      try {
        const work = recorded(parts, run.runId, () => perform(run))
        const outcome = await metrics.counted(run.kind, work)
        logger.info({ ...logged, ...outcome }, outcome ? 'run done' : 'run ended or waits')
      } catch (error) {
        const isTold = error instanceof ClickledgerError // somebody reads it with the run
        logger[isTold ? 'warn' : 'error']({ err: error, ...logged }, 'run failed')
      }
      return true
    },
    held: () => heldHours(catalogue),
  }
}
