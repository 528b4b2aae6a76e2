// What an ingest node tells Prometheus. Nothing here is on the hot path but one observation for each
// group commit.
import { Counter, Histogram, type Registry } from 'prom-client'
import { addCounter, addGauge, addHistogram } from '#platform/metrics.ts'
import type { Counters, RouteCounts } from './counters.ts'
import type { Wal } from './wal/wal.ts'
import type { CommitReport } from './wal/writer.ts'

/** State of the write-ahead log. */
export interface WalState {
  /** Undefined until what an earlier process left is counted. */
  readonly depthClicks: number | undefined
  readonly depthBytes: number
  readonly bytesMax: number
  /** Received time of the oldest unshipped click, ms; undefined: there is none. */
  readonly oldestUnshipped: number | undefined
  readonly shippedClicks: number
  /** Since the event log last acknowledged. */
  readonly failuresInARow: number
  readonly failures: number
  readonly lostBytes: number
}

/** Offers the counters. @returns what to tell of each group commit */
export function addIngestMetrics(registry: Registry, counters: Counters) {
  addClickCounts(registry, counters)
  const routes = Object.entries(counters.routes)
  addCounter(
    registry,
    {
      name: 'clickledger_ingest_requests_total',
      help: 'Requests answered, by route and HTTP status.',
      labelNames: ['route', 'status'],
    },
    () => routes.flatMap(([route, { answers }]) => answersOf(route, answers)),
  )
  addHistogram(
    registry,
    {
      name: 'clickledger_ingest_answer_seconds',
      help: 'From the headers of a request to its answer, by route. A click is durable within this time.',
      labelNames: ['route'],
    },
    () => routes.map(([route, { seconds }]) => [{ route }, seconds] as const),
  )
  return addCommits(registry)
}

const answersOf = (route: string, answers: RouteCounts['answers']) =>
  [...answers].map(([status, count]) => [{ route, status }, count] as const)

function addClickCounts(registry: Registry, { accepted, notAccepted, refused }: Counters): void {
  const bySource = (name: string, help: string, counts: Counters['accepted']) =>
    addCounter(registry, { name, help, labelNames: ['source'] }, () =>
      Object.entries(counts).map(([source, count]) => [{ source }, count] as const),
    )
  bySource('clickledger_clicks_accepted_total', 'Clicks made durable and answered.', accepted)
  bySource(
    'clickledger_clicks_not_accepted_total',
    'Clicks that could not be made durable: redirected or answered 503, never counted.',
    notAccepted,
  )
  addCounter(
    registry,
    {
      name: 'clickledger_clicks_refused_total',
      help: 'Requests, and clicks of a posted list, that were refused, by error code.',
      labelNames: ['reason'],
    },
    () => [...refused].map(([reason, count]) => [{ reason }, count] as const),
  )
}

function addCommits(registry: Registry): (report: CommitReport) => void {
  const registers = [registry]
  const records = new Histogram({
    name: 'clickledger_wal_group_clicks',
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

export const walStateOf = ({ depthRecords, writer, control }: Wal, bytesMax: number): WalState => ({
  depthClicks: depthRecords,
  depthBytes: writer.depthBytes,
  bytesMax,
  oldestUnshipped: writer.oldestUnshipped,
  shippedClicks: control.shippedRecords,
  failuresInARow: control.failures,
  failures: control.failuresTotal,
  lostBytes: control.lostBytes,
})

/** Offers the state of the write-ahead log. @param now - clock of `oldestUnshipped` */
export function addWalMetrics(registry: Registry, read: () => WalState, now: () => number): void {
  const gauge = (name: string, help: string, of: (state: WalState) => number | undefined) =>
    addGauge(registry, { name, help }, () => of(read()))
  const counter = (name: string, help: string, of: (state: WalState) => number) =>
    addCounter(registry, { name, help }, () => of(read()))
  gauge(
    'clickledger_wal_depth_clicks',
    'Durable clicks that are not in the event log yet.',
    (wal) => wal.depthClicks,
  )
  gauge(
    'clickledger_wal_depth_bytes',
    'Bytes of the write-ahead log that are not in the event log yet.',
    (wal) => wal.depthBytes,
  )
  gauge(
    'clickledger_wal_limit_bytes',
    'Depth beyond which clicks are not accepted (CLICKLEDGER_WAL_BYTES_MAX).',
    (wal) => wal.bytesMax,
  )
  gauge(
    'clickledger_wal_oldest_seconds',
    'Age of the oldest click that is not in the event log yet; 0: there is none.',
    ({ oldestUnshipped }) =>
      oldestUnshipped === undefined ? 0 : Math.max(0, now() - oldestUnshipped) / 1000,
  )
  gauge(
    'clickledger_wal_send_failures',
    'Failed attempts to send since the event log last acknowledged.',
    (wal) => wal.failuresInARow,
  )
  counter(
    'clickledger_wal_send_retries_total',
    'Attempts to send a batch that failed and were repeated.',
    (wal) => wal.failures,
  )
  counter(
    'clickledger_wal_shipped_clicks_total',
    'Clicks that the event log has acknowledged.',
    (wal) => wal.shippedClicks,
  )
  counter(
    'clickledger_wal_unreadable_bytes_total',
    'Bytes of segments that could not be read: a torn write that was never acknowledged, or damage.',
    (wal) => wal.lostBytes,
  )
}
