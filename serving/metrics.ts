// What serving tells Prometheus: its own requests, the OLAP store as its queries see it, and how
// fresh answers are. Facts are read when somebody asks (freshness.ts gathers at most five times a
// second); while they cannot be had, `clickledger_facts_up` is 0 and what depends on them is absent. A watermark
// of 0 is none: the speed layer has proven nothing yet.
import { Counter, Histogram, type Registry } from 'prom-client'
import { addGauge, type Reading } from '#platform/metrics.ts'
import type { OlapHealth } from '#platform/olap/port.ts'
import { within } from '#platform/wait.ts'
import type { LayerName } from '#schemas/heartbeats.ts'
import { type Facts, freshnessStates, lagsOf, stateOf } from './freshness.ts'

export interface ServingReadings {
  health(): Promise<OlapHealth>
  facts(): Promise<Facts>
  /** Open live streams. */
  liveClients(): number
  /** Queries that the store computes now, and those that wait for a place. */
  queries(): { readonly running: number; readonly waiting: number }
  now(): number
  /** Nodes silent for longer are no longer told of. */
  readonly nodeSilenceMs: number
}

const healthMs = 1_500

const reporters = ['ingest', 'speed', 'archive', 'serving'] as const satisfies LayerName[]

/** @param read - the state now */
export function createServingMetrics(registry: Registry, read: ServingReadings) {
  const registers = [registry]
  addGauge(registry, { name: 'clickledger_live_clients', help: 'Open live streams.' }, () =>
    read.liveClients(),
  )
  addGauge(
    registry,
    {
      name: 'clickledger_olap_queries',
      help: 'Queries on the way to the OLAP store, by state: running or waiting for a place.',
      labelNames: ['state'],
    },
    () => {
      const { running, waiting } = read.queries()
      return [
        [{ state: 'running' }, running],
        [{ state: 'waiting' }, waiting],
      ]
    },
  )
  addFacts(registry, read)
  addHealth(registry, read)
  const refusedQueries = new Counter({
    name: 'clickledger_olap_queries_refused_total',
    help: 'Queries that got no answer, by reason: queue-full (429), timeout (504) or client-gone (nobody waited any more).',
    labelNames: ['reason'],
    registers,
  })
  // A counter that appears with its first event hides that event from `increase`.
  for (const reason of ['queue-full', 'timeout', 'client-gone']) refusedQueries.inc({ reason }, 0)
  const answers = new Counter({
    name: 'clickledger_report_answers_total',
    help: 'Questions for rows, by where the answer came from: memory (kept), flight (an equal question was under way), shared (another process) or store.',
    labelNames: ['from'],
    registers,
  })
  for (const from of ['memory', 'flight', 'shared', 'store']) answers.inc({ from }, 0)
  return {
    refusedQueries,
    answers,
    requestSeconds: new Histogram({
      name: 'clickledger_http_request_seconds',
      help: 'Time to answer a request to serving, by route.',
      labelNames: ['route', 'method', 'status'],
      buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    querySeconds: new Histogram({
      name: 'clickledger_olap_query_seconds',
      help: 'Time the OLAP store took for a query, by result (ok, failed); waiting for a place is not in it.',
      labelNames: ['result'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    freshnessSampled: new Histogram({
      name: 'clickledger_freshness_sampled_seconds',
      help: 'How old the watermark of answers was, looked at twice a second: quantiles over time of received click to visible in a report.',
      buckets: [0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800],
      registers,
    }),
  }
}

export type ServingMetrics = ReturnType<typeof createServingMetrics>

function addFacts(registry: Registry, { facts, now, nodeSilenceMs }: ServingReadings): void {
  const gauge = (
    name: string,
    help: string,
    of: (facts: Facts) => Reading,
    labelNames: readonly string[] = [],
  ) => addGauge(registry, { name, help, labelNames }, async () => of(await facts()))
  addGauge(
    registry,
    {
      name: 'clickledger_facts_up',
      help: 'Whether the catalogue and the OLAP store said how fresh answers are: 1 or 0.',
    },
    () =>
      facts().then(
        () => 1,
        () => 0,
      ),
  )
  gauge(
    'clickledger_watermark_timestamp_seconds',
    'Every click received before this time is visible to queries; absent while nothing is proven.',
    ({ watermark }) => (watermark ? watermark / 1000 : undefined),
  )
  gauge(
    'clickledger_freshness_seconds',
    'Age of that watermark: from received click to visible in a report.',
    ({ watermark }) => (watermark ? (now() - watermark) / 1000 : undefined),
  )
  gauge(
    'clickledger_freshness_state',
    '1 for the word that GET /v1/freshness says now, 0 for the others.',
    (known) => {
      const { state } = stateOf(now(), known)
      return freshnessStates.map((name) => [{ state: name }, name === state ? 1 : 0] as const)
    },
    ['state'],
  )
  gauge(
    'clickledger_olap_lag_records',
    'Judged clicks that queries do not see yet.',
    (known) => lagsOf(now(), known).olap.lag_records,
  )
  const isKept = ({ reportedAt }: { reportedAt: number }) => now() - reportedAt < nodeSilenceMs
  gauge(
    'clickledger_node_report_age_seconds',
    'Time since a node last reported, by its layer; gone when it has been silent for CLICKLEDGER_NODE_SILENCE.',
    (known) =>
      reporters.flatMap((reporter) =>
        known[reporter]
          .filter(isKept)
          .map(
            ({ node, reportedAt }) =>
              [{ reporter, node }, Math.max(0, now() - reportedAt) / 1000] as const,
          ),
      ),
    ['reporter', 'node'],
  )
  gauge(
    'clickledger_node_unshipped_clicks',
    'Clicks in the write-ahead log of an ingest node, by its last report.',
    (known) =>
      known.ingest.filter(isKept).map(({ node, body }) => [{ node }, body.walDepthClicks] as const),
    ['node'],
  )
}

function addHealth(registry: Registry, { health }: ServingReadings): void {
  let asked: Promise<OlapHealth> | undefined
  // One question for both metrics of a scrape, which are read one right after the other.
  const ask = () => {
    asked ??= within(health(), healthMs).finally(() => {
      asked = undefined
    })
    return asked
  }
  addGauge(
    registry,
    {
      name: 'clickledger_olap_problems',
      help: 'Things that are wrong with the OLAP store; on Druid the state of its supervisor is one. GET /v1/status has them in words.',
    },
    async () => (await ask()).problems.length,
  )
  addGauge(
    registry,
    {
      name: 'clickledger_olap_unavailable_segments',
      help: 'Published parts of a view that cannot be read; queries that need them are refused.',
    },
    async () => (await ask()).unavailableSegments,
  )
}
