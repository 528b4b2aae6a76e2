// docs/MONITORING.md: how to watch an installation, and every metric there is.
import { type ListedMetric, layerMetrics, metricsByLayer, processMetrics } from './metrics-list.ts'

const of = (metrics: readonly ListedMetric[]): string =>
  [
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...metrics.map(
      ({ name, type, labelNames, help }) =>
        `| \`${name}\` | ${type} | ${labelNames.join(', ')} | ${help} |`,
    ),
  ].join('\n')

/** @param generated - the comment that says where the page comes from */
export function monitoringPage(generated: string): string {
  const layers = Object.entries(metricsByLayer).map(
    ([layer, metrics]) => `### ${layer}\n\n${of(metrics)}\n`,
  )
  return `# Monitoring

${generated}

## Where to ask

| path | says | status |
| --- | --- | --- |
| \`/livez\` | the process answers | 200 |
| \`/readyz\` | it does its work now; the body says what is missing | 200 or 503 |
| \`/metrics\` | metrics as Prometheus reads them | 200 |

- \`npx clickledger start\`: serving's \`/metrics\` shows every layer of the process. Ingest's own shows
  ingest alone; scrape one of the two, or its clicks count twice.
- Layers as processes of their own: set \`CLICKLEDGER_METRICS_PORT\`, and each has the three paths
  there. It stays the same port for all, and need not be reachable from outside.
- Every metric has a label \`layer\`. Do not give scrape targets a label of that name.

A restart is for a process that does not answer \`/livez\`. \`/readyz\` turns 503 while a server it
needs is away; a restart does not bring that back.

| layer | ready when |
| --- | --- |
| ingest | clicks can be made durable: the write-ahead log is neither full nor failing |
| speed | it reported within 15 s, event log included, and every partition it holds has been opened; with no partition it stands by |
| archive | a round over all partitions succeeded within 2 minutes |
| serve | the boundary can be read and the OLAP store answers |

## Alerts and dashboard

- \`infra/monitoring/alerts.yaml\`: rules for Prometheus. Each alert has a page in
  [runbooks/](runbooks/), and \`runbook_url\` is its path in this repository. To make it a link, put
  your address before it when you load the file:
  \`sed 's#runbook_url: #&https://git.example/clickledger/blob/main/#' infra/monitoring/alerts.yaml\`
- \`infra/monitoring/grafana/clickledger.json\`: a dashboard; choose the data source when importing.
- \`infra/monitoring/alerts.test.yaml\`: what the rules are tested with (\`promtool test rules\`).
- The rules expect the scrape job to be called \`clickledger\`.

Counts of the speed layer are of work done: what an aborted transaction had judged is judged again.
For sums that balance, use reports and \`npx clickledger status\`.

## Traces

Off by default; \`CLICKLEDGER_TRACING=true\` on ingest and the speed layer turns them on. Why so:
[decisions/0014](decisions/0014-trace-context-in-a-header.md).

- Ingest takes a W3C \`traceparent\` header whose sampled flag is set, or makes one for one click in
  128 that has none. It goes with the click through the write-ahead log and, as the header
  \`traceparent\`, through \`clicks.raw\` to \`clicks.judged\`, each hop with a span id of its own.
- Each hop writes its span as a log line at level debug: \`trace_id\`, \`span_id\`, \`parent_span_id\`,
  \`span\`, start and duration. Nothing is sent anywhere; a log collector can.

## Metrics

In every layer:

${of(layerMetrics)}

${layers.join('\n')}
### process

Once in a process, under the label of its main layer, beside Node's own as prom-client gives them
(\`clickledger_process_*\` for CPU, memory and files, \`clickledger_nodejs_*\` for event loop, heap and
garbage collection).

${of(processMetrics.filter(({ name }) => !/_(process|nodejs)_/.test(name)))}
`
}
