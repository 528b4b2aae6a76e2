// What rebuilds and the boundary tell Prometheus.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { addGauge } from '#platform/metrics.ts'
import { differenceClassNames } from '#schemas/reconciliation.ts'
import { type RunKind, runKinds } from '#schemas/runs.ts'
import type { Outcome } from './rebuild.ts'

export type RebuildMetrics = ReturnType<typeof createRebuildMetrics>

export function createRebuildMetrics(registry: Registry) {
  const registers = [registry]
  let boundary: number | undefined
  let lookedAt: number | undefined
  const timeGauge = (name: string, help: string, read: () => number | undefined) =>
    addGauge(registry, { name, help }, () => {
      const time = read()
      return time === undefined ? undefined : time / 1000
    })
  timeGauge(
    'clickledger_boundary_timestamp_seconds',
    'The boundary in force: batch answers below it, speed from there on.',
    () => boundary,
  )
  timeGauge(
    'clickledger_rebuild_last_look_timestamp_seconds',
    'When the scheduler last looked for hours to seal and to rebuild, without a failure.',
    () => lookedAt,
  )
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers })
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const running = gauge('clickledger_rebuild_running', 'Runs under way: 0 or 1.')
  const runs = new Counter({
    name: 'clickledger_rebuild_runs_total',
    help: 'Runs that ended, by kind and result (done, failed).',
    labelNames: ['kind', 'result'],
    registers,
  })
  // A counter that appears with its first event hides that event from `increase`.
  for (const kind of runKinds) {
    for (const result of ['done', 'failed']) runs.inc({ kind, result }, 0)
  }
  const differences = new Gauge({
    name: 'clickledger_reconciliation_differences',
    help: 'Clicks on which batch and speed differ, by class, in the hours compared within the last day.',
    labelNames: ['class'],
    registers,
  })
  for (const name of differenceClassNames) differences.set({ class: name }, 0)
  const seconds = new Histogram({
    name: 'clickledger_rebuild_run_seconds',
    help: 'Time of a run, from its plan to its verification, by kind.',
    labelNames: ['kind'],
    buckets: [0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14_400],
    registers,
  })
  const hours = counter('clickledger_rebuild_hours_total', 'Hours built and published.')
  const clicks = counter('clickledger_rebuild_clicks_total', 'Clicks in those hours.')
  const changed = counter(
    'clickledger_rebuild_changed_hours_total',
    'Published hours whose sums a run changed, sealed for the first time or again.',
  )
  return {
    differences,
    reconciliationFailures: counter(
      'clickledger_reconciliation_failures_total',
      'Comparisons of batch and speed that failed; each is tried again.',
    ),
    dirtyHours: gauge(
      'clickledger_rebuild_dirty_hours',
      'Hours below the boundary that the archive has outgrown, when last looked.',
    ),
    obstacles: gauge(
      'clickledger_rebuild_sealing_obstacles',
      'What the proof for moving the boundary still lacks: partitions not archived, nodes with unshipped clicks.',
    ),
    failures: counter(
      'clickledger_rebuild_scheduler_failures_total',
      'Looks of the scheduler that failed, runs included.',
    ),
    /** The boundary in force, ms. */
    sees(published: number): void {
      boundary = published
    },
    /** A look of the scheduler succeeded. @param at - ms */
    looked(at: number): void {
      lookedAt = at
    },
    /** Counts a run while it goes on and when it ends. */
    async counted(kind: RunKind, run: Promise<Outcome>): Promise<Outcome> {
      running.inc()
      const ended = seconds.startTimer({ kind })
      try {
        const result = await run
        if (!result) return result
        hours.inc(result.hours)
        clicks.inc(result.clicks)
        changed.inc(result.changedHours)
        runs.inc({ kind, result: 'done' })
        return result
      } catch (error) {
        runs.inc({ kind, result: 'failed' })
        throw error
      } finally {
        ended()
        running.dec()
      }
    },
  }
}
