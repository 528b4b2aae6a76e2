// Prometheus metrics. Each layer has a registry of its own, so that several layers in one process
// keep their names apart by the label `layer`. Most metrics here are read when somebody asks: the
// work only adds to plain numbers. A reading that fails leaves its metric out, never the whole answer.
import { statfs } from 'node:fs/promises'
import { collectDefaultMetrics, type Metric, Registry } from 'prom-client'

export type Labels = Readonly<Record<string, string | number>>
/** One number, or one for each set of labels; undefined: not known now. */
export type Reading = number | undefined | Iterable<readonly [Labels, number]>

export interface MetricSpec {
  readonly name: string
  readonly help: string
  readonly labelNames?: readonly string[]
}

interface Value {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
}

function register(
  registry: Registry,
  type: 'counter' | 'gauge' | 'histogram',
  { name, help, labelNames = [] }: MetricSpec,
  read: () => Promise<Value[]>,
): void {
  const get = async () => ({
    ...{ name, help, type, aggregator: 'sum' },
    values: await read().catch(() => []),
  })
  // A registry uses of a metric what is here; prom-client's types only know its own classes.
  registry.registerMetric({ name, help, type, labelNames, get } as unknown as Metric)
}

function valuesOf(reading: Reading): Value[] {
  if (reading === undefined) return []
  if (typeof reading === 'number') return [{ labels: {}, value: reading }]
  return [...reading].map(([labels, value]) => ({ labels, value }))
}

/** A gauge that is read when it is asked for. */
export function addGauge(
  registry: Registry,
  spec: MetricSpec,
  read: () => Reading | Promise<Reading>,
): void {
  register(registry, 'gauge', spec, async () => valuesOf(await read()))
}

/** A counter kept elsewhere as a plain number, read when it is asked for. */
export function addCounter(
  registry: Registry,
  spec: MetricSpec,
  read: () => Reading | Promise<Reading>,
): void {
  register(registry, 'counter', spec, async () => valuesOf(await read()))
}

/** What a histogram counts, for hot paths: adding costs a comparison or two, and no allocation. */
export interface Tally {
  add(value: number): void
  readonly bounds: readonly number[]
  /** Of each bound, and one beyond; not cumulative. */
  readonly counts: Float64Array
  readonly sum: number
}

/** @param bounds - ascending */
export function createTally(bounds: readonly number[]): Tally {
  const counts = new Float64Array(bounds.length + 1)
  let sum = 0
  return {
    bounds,
    counts,
    get sum() {
      return sum
    },
    add(value) {
      let i = 0
      while (i < bounds.length && value > (bounds[i] as number)) i++
      counts[i] = (counts[i] as number) + 1
      sum += value
    },
  }
}

/** A histogram whose tallies are kept elsewhere, one for each set of labels. Empty ones are left out. */
export function addHistogram(
  registry: Registry,
  spec: MetricSpec,
  tallies: () => Iterable<readonly [Labels, Tally]>,
): void {
  register(registry, 'histogram', spec, async () =>
    [...tallies()].flatMap(([labels, tally]) => bucketsOf(spec.name, labels, tally)),
  )
}

function bucketsOf(name: string, labels: Labels, { bounds, counts, sum }: Tally): Value[] {
  let count = 0
  const buckets = Array.from(counts, (own, i) => {
    count += own
    return {
      metricName: `${name}_bucket`,
      labels: { ...labels, le: bounds[i] ?? '+Inf' },
      value: count,
    }
  })
  if (count === 0) return []
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ]
}

/** A registry of a layer, with how busy the thread is that the layer runs in. */
export function createRegistry(layer: string): Registry {
  const registry = new Registry()
  registry.setDefaultLabels({ layer })
  addCounter(
    registry,
    {
      name: 'clickledger_event_loop_active_seconds_total',
      help: "Time the layer's thread was busy; its rate is the thread's utilisation, 1 is saturated.",
    },
    () => performance.eventLoopUtilization().active / 1000,
  )
  return registry
}

/**
 * Adds figures of the process (CPU, memory, garbage collection, its data disk). Once in a process.
 * @param dataDir - on the disk to watch
 */
export function addProcessMetrics(registry: Registry, dataDir: string): void {
  collectDefaultMetrics({ register: registry, prefix: 'clickledger_' })
  const ofDisk = (name: string, help: string, blocks: 'bavail' | 'blocks') =>
    addGauge(registry, { name, help }, async () => {
      const disk = await statfs(dataDir)
      return disk[blocks] * disk.bsize
    })
  ofDisk('clickledger_disk_free_bytes', 'Free on the disk of the data directory.', 'bavail')
  ofDisk('clickledger_disk_size_bytes', 'Size of the disk of the data directory.', 'blocks')
}

/** One text from those of several registries: each metric once, with the samples of all. */
export function mergeExpositions(texts: readonly string[]): string {
  const families = new Map<string, string[]>()
  for (const text of texts) {
    for (const family of text.split(/^(?=# HELP )/m)) {
      const [help = '', type = '', ...samples] = family.trim().split('\n')
      const name = /^# HELP (\S+)/.exec(help)?.[1]
      if (name === undefined) continue
      const known = families.get(name)
      if (known) known.push(...samples)
      else families.set(name, [help, type, ...samples])
    }
  }
  return [...families.values()].map((lines) => `${lines.join('\n')}\n`).join('\n')
}
