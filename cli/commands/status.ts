// status: everything an operator asks first, for people or as JSON for scripts.
import type { Command } from 'commander'
import {
  type InstanceOptions,
  print,
  printJson,
  sessionOptions,
  signalAbort,
  withInstanceOptions,
} from '../options.ts'
import { withInstance } from '../session.ts'

interface Options extends InstanceOptions {
  readonly json?: boolean
}

interface Node {
  readonly node: string
  readonly age_seconds: number
  readonly url?: string
}

/** Of the answer of GET /v1/status, what people are shown. */
export interface Status {
  readonly state: string
  readonly detail: string
  readonly boundary: string
  readonly watermark: string | null
  readonly lags: {
    readonly ingest: { readonly wal_depth_clicks: number }
    readonly speed: { readonly lag_records: number }
    readonly olap: { readonly lag_records: number }
    readonly archive: { readonly lag_records: number }
  }
  readonly olap: { readonly problems: readonly string[] }
  readonly counts: Readonly<Record<string, number>>
  readonly layers: Readonly<Record<string, readonly Node[]>>
  readonly runs: readonly {
    readonly kind: string
    readonly status: string
    readonly hours: number
    readonly started_at: string
    readonly reason: string
  }[]
}

const runsShown = 5
const count = new Intl.NumberFormat('en-US')

/** The status as lines for people. */
export function describeStatus({
  state,
  detail,
  lags,
  olap,
  counts,
  layers,
  runs,
  ...rest
}: Status): string {
  const row = (name: string, value: string) => `${name.padEnd(11)}${value}`
  const nodes = Object.entries(layers).map(([layer, list]) => {
    const each = list.map(
      (n) => `${n.node}${n.url ? ` ${n.url}` : ''} (${n.age_seconds.toFixed(1)} s ago)`,
    )
    return row(`  ${layer}`, each.join(', ') || 'has not reported')
  })
  const { gross = 0, valid = 0, duplicate = 0, invalid = 0, ...others } = counts
  const more = Object.entries(others).map(
    ([name, n]) => `${count.format(n)} ${name.replace('_', ' ')}`,
  )
  return [
    row('state', `${state}: ${detail}`),
    ...olap.problems.map((problem) => row('problem', problem)),
    row('boundary', `${rest.boundary} (below: exact, from the batch layer)`),
    row('watermark', rest.watermark ?? 'not known yet'),
    row(
      'clicks',
      `${count.format(gross)} = ${count.format(valid)} valid + ${count.format(duplicate)} duplicate + ${count.format(invalid)} invalid`,
    ),
    row('besides', more.join(', ')),
    row(
      'waiting',
      `${lags.ingest.wal_depth_clicks} in the write-ahead log, ${lags.speed.lag_records} to be judged, ${lags.olap.lag_records} to be shown, ${lags.archive.lag_records} to be archived`,
    ),
    'layers',
    ...nodes,
    ...(runs.length > 0 ? ['last runs'] : []),
    ...runs
      .slice(0, runsShown)
      .map((run) =>
        row(`  ${run.kind}`, `${run.status}, ${run.hours} hours, ${run.started_at}, ${run.reason}`),
      ),
  ].join('\n')
}

const help = `
Examples:
  clickledger status
  clickledger status --json | jq .counts`

export function addStatusCommand(program: Command): void {
  const command = program
    .command('status')
    .description('layers, lags, watermark, boundary, counts, last runs')
    .option('--json', 'print all of it as JSON')
    .addHelpText('after', help)
  withInstanceOptions(command).action(async (options: Options) => {
    const session = sessionOptions(options, signalAbort())
    const status: unknown = await withInstance(session, ({ api }) => api.read('getStatus', {}))
    if (options.json) printJson(status)
    else print(describeStatus(status as Status))
  })
}
