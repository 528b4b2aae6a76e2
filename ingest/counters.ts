// What ingest counts. The hot path adds to plain numbers; Prometheus and the heartbeat read them
// when they ask.
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { Source } from './facts.ts'
import type { Wal } from './wal/wal.ts'
import type { CommitReport } from './wal/writer.ts'

export interface Counters {
  /** Clicks answered after they were durable. */
  readonly accepted: Record<Source, number>
  /** Clicks that could not be made durable. */
  readonly notAccepted: Record<Source, number>
  /** Answers by HTTP status. */
  readonly answers: Map<number, number>
}

export const createCounters = (): Counters => ({
  accepted: { redirect: 0, pixel: 0, api: 0, import: 0 },
  notAccepted: { redirect: 0, pixel: 0, api: 0, import: 0 },
  answers: new Map(),
})

export const sumOf = (counts: Record<Source, number>): number =>
  counts.redirect + counts.pixel + counts.api + counts.import

/** Offers the counters to Prometheus. @returns what to tell of each group commit */
export function registerCounters(registry: Registry, counters: Counters) {
  const registers = [registry]
  for (const [name, counts, help] of [
    ['clickledger_clicks_accepted_total', counters.accepted, 'Clicks made durable and answered.'],
    ['clickledger_clicks_not_accepted_total', counters.notAccepted, 'Clicks not made durable.'],
  ] as const) {
    new Counter({
      name,
      help,
      labelNames: ['source'],
      registers,
      collect() {
        this.reset()
        for (const [source, count] of Object.entries(counts)) this.inc({ source }, count)
      },
    })
  }
  new Counter({
    name: 'clickledger_ingest_answers_total',
    help: 'HTTP answers by status.',
    labelNames: ['status'],
    registers,
    collect() {
      this.reset()
      for (const [status, count] of counters.answers) this.inc({ status }, count)
    },
  })
  return registerCommits(registry)
}

function registerCommits(registry: Registry): (report: CommitReport) => void {
  const registers = [registry]
  const records = new Histogram({
    name: 'clickledger_wal_group_records',
    help: 'Clicks made durable by one group commit.',
    buckets: [1, 4, 16, 64, 256, 1024, 4096],
    registers,
  })
  const seconds = new Histogram({
    name: 'clickledger_wal_commit_seconds',
    help: 'Time of one group commit: write and sync.',
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
    registers,
  })
  const failures = new Counter({
    name: 'clickledger_wal_commit_failures_total',
    help: 'Group commits that failed.',
    registers,
  })
  return (report) => {
    records.observe(report.records)
    seconds.observe(report.seconds)
    if (report.failure !== undefined) failures.inc()
  }
}

/** Offers the state of the write-ahead log to Prometheus. */
export function registerWal(registry: Registry, wal: Wal): void {
  const gauge = (name: string, help: string, read: () => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  gauge(
    'clickledger_wal_depth_clicks',
    'Clicks not yet in the event log.',
    () => wal.depthRecords ?? 0,
  )
  gauge(
    'clickledger_wal_depth_bytes',
    'Bytes not yet in the event log.',
    () => wal.writer.depthBytes,
  )
  gauge(
    'clickledger_wal_send_failures',
    'Failed attempts since the event log last acknowledged.',
    () => wal.control.failures,
  )
}
