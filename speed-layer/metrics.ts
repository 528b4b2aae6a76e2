// What the speed layer tells Prometheus. Counts are of the work done: what a transaction that was
// aborted had judged is judged again, and counts again.
import { Counter, Histogram, type Registry } from 'prom-client'
import { addCounter, addGauge } from '#platform/metrics.ts'
import type { SpeedState } from './node-state.ts'

/** @param read - the state of this node now */
export function createSpeedMetrics(registry: Registry, read: () => SpeedState) {
  const registers = [registry]
  addCounter(
    registry,
    {
      name: 'clickledger_speed_clicks_total',
      help: 'Raw clicks processed, by what became of them.',
      labelNames: ['verdict'],
    },
    () => {
      const { valid, duplicate, invalid, copies } = read().counts
      return Object.entries({ valid, duplicate, invalid, copy: copies }).map(
        ([verdict, count]) => [{ verdict }, count] as const,
      )
    },
  )
  addCounter(
    registry,
    {
      name: 'clickledger_speed_dead_letters_total',
      help: 'Records that could not be decoded and went to clicks.dlq.',
    },
    () => read().counts.deadLettered,
  )
  addGauge(
    registry,
    {
      name: 'clickledger_speed_lag_records',
      help: 'Records of clicks.raw that are not judged yet, by partition held here.',
      labelNames: ['partition'],
    },
    () =>
      read().partitions.map(
        ({ partition, committed, end }) => [{ partition }, Math.max(0, end - committed)] as const,
      ),
  )
  addGauge(
    registry,
    {
      name: 'clickledger_speed_watermark_timestamp_seconds',
      help: 'All clicks received before this time, and in the log then, are judged.',
    },
    () => {
      const { watermark } = read()
      return watermark === 0 ? undefined : watermark / 1000
    },
  )
  addGauge(
    registry,
    {
      name: 'clickledger_speed_state_keys',
      help: 'Keys in the tables of repeat rules and copies.',
    },
    () => read().stateKeys,
  )
  addCounter(
    registry,
    {
      name: 'clickledger_speed_state_full_rotations_total',
      help: 'Times a table was full before its window was over, so that history was forgotten early.',
    },
    () => read().stateFullRotations,
  )
  return {
    transactionSeconds: new Histogram({
      name: 'clickledger_speed_transaction_seconds',
      help: 'From taking records of a partition to their outputs and offset being committed.',
      buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15],
      registers,
    }),
    restoreSeconds: new Histogram({
      name: 'clickledger_speed_restore_seconds',
      help: 'Rebuilding the state of a partition from the log, each time it is opened: at start, after a failure, after a rebalance, under a new rule set.',
      buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300],
      registers,
    }),
    heartbeatFailures: new Counter({
      name: 'clickledger_speed_heartbeat_failures_total',
      help: 'Reports that the event log or the catalogue did not take.',
      registers,
    }),
  }
}
