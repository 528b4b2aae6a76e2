// What a report counts. `countedStatus` says which verdicts a sum counts; uniques are sets over
// valid clicks and must never be added up across buckets.
import type { Status } from './verdicts.ts'

interface SumMetric {
  readonly name: string
  readonly kind: 'sum'
  readonly countedStatus: readonly Status[]
  readonly doc: string
}
interface UniqueMetric {
  readonly name: string
  readonly kind: 'unique'
  /** The field whose distinct non-empty values are counted. */
  readonly of: 'visitor' | 'ip_hash'
  /** Column of an aggregate row that lists those values. */
  readonly members: string
  readonly doc: string
}

export const metrics = [
  {
    name: 'click_count',
    kind: 'sum',
    countedStatus: ['valid'],
    doc: 'Valid clicks: what is billed.',
  },
  {
    name: 'gross_click_count',
    kind: 'sum',
    countedStatus: ['valid', 'duplicate', 'invalid'],
    doc: 'All clicks, copies collapsed: valid + duplicate + invalid.',
  },
  {
    name: 'duplicate_click_count',
    kind: 'sum',
    countedStatus: ['duplicate'],
    doc: 'Clicks that repeat an earlier one.',
  },
  {
    name: 'fraudulent_click_count',
    kind: 'sum',
    countedStatus: ['invalid'],
    doc: 'Clicks that a rule judged invalid.',
  },
  {
    name: 'unique_user_count',
    kind: 'unique',
    of: 'visitor',
    members: 'visitors',
    doc: 'Distinct visitors of valid clicks.',
  },
  {
    name: 'unique_ip_count',
    kind: 'unique',
    of: 'ip_hash',
    members: 'ip_hashes',
    doc: 'Distinct IP addresses of valid clicks.',
  },
] as const satisfies readonly (SumMetric | UniqueMetric)[]

export type Metric = (typeof metrics)[number]
export type MetricName = Metric['name']
export type SumMetricName = Extract<Metric, { kind: 'sum' }>['name']

export const metricNames: readonly MetricName[] = metrics.map((m) => m.name)
export const sumMetrics = metrics.filter((m) => m.kind === 'sum')
export const uniqueMetrics = metrics.filter((m) => m.kind === 'unique')

export function metricByName(name: MetricName): Metric {
  const metric = metrics.find((m) => m.name === name)
  if (!metric) throw new Error(`no such metric: ${name}`)
  return metric
}

/** Of the sketches (HLL) that estimate uniques where a store does not count them: 2^k registers. */
export const sketchLogK = 12
