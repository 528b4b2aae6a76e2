// What the archive tells Prometheus.
import { Counter, Histogram, type Registry } from 'prom-client'
import { addGauge } from '#platform/metrics.ts'
import type { ArchiveHeartbeat } from '#schemas/heartbeats.ts'
import type { Manifest } from './manifest.ts'

export interface ArchiveState extends ArchiveHeartbeat {
  /** When a round last succeeded, ms; undefined: none has. */
  readonly succeededAt: number | undefined
}

/** What is read of this node when somebody asks. */
export interface ArchiveStates {
  raw(): ArchiveState
  judged(): ArchiveHeartbeat
}

export function createArchiveMetrics(registry: Registry, states: ArchiveStates) {
  const registers = [registry]
  const lagGauge = (name: string, help: string, read: () => ArchiveHeartbeat) =>
    addGauge(registry, { name, help, labelNames: ['partition'] }, () => {
      const { logEnds, archivedEnds } = read()
      return logEnds.map(
        (end, partition) =>
          [{ partition }, Math.max(0, end - (archivedEnds[partition] ?? 0))] as const,
      )
    })
  lagGauge(
    'clickledger_archive_lag_records',
    'Records of clicks.raw that no manifest covers yet, by partition.',
    () => states.raw(),
  )
  lagGauge(
    'clickledger_archive_judged_lag_records',
    'Records of clicks.judged that no manifest covers yet, by partition. Only reconciliation waits for them.',
    () => states.judged(),
  )
  addGauge(
    registry,
    {
      name: 'clickledger_archive_last_success_timestamp_seconds',
      help: 'When a round over all partitions last succeeded, whether or not a flush was due.',
    },
    () => {
      const { succeededAt } = states.raw()
      return succeededAt === undefined ? undefined : succeededAt / 1000
    },
  )
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const clicks = counter('clickledger_archive_clicks_total', 'Clicks written to Parquet.')
  const bytes = counter('clickledger_archive_bytes_total', 'Bytes of Parquet written.')
  const undecodable = counter(
    'clickledger_archive_undecodable_total',
    'Records of clicks.raw that could not be decoded and are in no file.',
  )
  const manifests = counter('clickledger_archive_manifests_total', 'Manifests published.')
  return {
    flushSeconds: new Histogram({
      name: 'clickledger_archive_flush_seconds',
      help: 'One flush of a partition: Parquet, manifest, index.',
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
      registers,
    }),
    failures: counter(
      'clickledger_archive_failures_total',
      'Rounds that failed; each is tried again from where the chain ends.',
    ),
    published(manifest: Manifest): void {
      manifests.inc()
      undecodable.inc(manifest.undecodable)
      for (const file of manifest.files) {
        clicks.inc(file.clicks)
        bytes.inc(file.bytes)
      }
    },
  }
}

export type ArchiveMetrics = ReturnType<typeof createArchiveMetrics>
