// What Druid is told about its datasources, generated from schemas/: names, the columns of all, and the
// supervisor of the speed view (tasks: druid-load-specs.ts). Sums and uniques mean the same in each, or
// the union query would mix meanings.
import { createHash } from 'node:crypto'
import type { Interval } from '#core/boundary.ts'
import type { Grain } from '#core/grain.ts'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sketchLogK, sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'
import { dayMs, hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import type { Settings } from '../config.ts'

/** The batch view by grain. */
export type BatchView = 'batch' | 'hour' | 'day'
/** A datasource; also what its rows have in the column `layer`. */
export type View = BatchView | 'speed'
export const views: readonly View[] = ['batch', 'hour', 'day', 'speed']
export const grainViews = { minute: 'batch', hour: 'hour', day: 'day' } as const satisfies Record<
  Grain,
  BatchView
>

export type Spec = Readonly<Record<string, unknown>>

/**
 * In one go: merging takes direct memory for each column of each part, and a long task has thousands of
 * parts.
 */
export const maxColumnsToMerge = 2_000

/** Names inside Druid and the object store, each in this installation's namespace. */
export function druidNames(settings: Settings) {
  const namespace = settings.CLICKLEDGER_NAMESPACE
  const prefixed = (separator: string) => (namespace === '' ? '' : `${namespace}${separator}`)
  return {
    batch: `${prefixed('_')}clicks_batch`,
    hour: `${prefixed('_')}clicks_hour`,
    day: `${prefixed('_')}clicks_day`,
    speed: `${prefixed('_')}clicks_speed`,
    topic: `${prefixed('.')}${topics.judged.name}`,
    objectUri: (key: string) => `s3://${settings.CLICKLEDGER_S3_BUCKET}/${prefixed('/')}${key}`,
  }
}

export type DruidNames = ReturnType<typeof druidNames>

export const intervalOf = (start: number, end: number): string =>
  `${new Date(start).toISOString()}/${new Date(end).toISOString()}`

/** What Druid writes as `intervalOf` does. */
export function parseInterval(text: string): Interval {
  const [start = '', end = ''] = text.split('/')
  return { start: Date.parse(start), end: Date.parse(end) }
}

export const stringDimension = (name: string) => ({ type: 'string', name })
export const sketchSize = { lgK: sketchLogK, tgtHllType: 'HLL_4' }
export const sketch = (name: string, fieldName: string) => ({
  type: 'HLLSketchBuild',
  name,
  fieldName,
  ...sketchSize,
})
const isOneOf = (column: string, values: readonly string[]) => ({
  type: 'in',
  dimension: column,
  values: [...values].sort(),
})
const constant = (name: string, value: string) => ({
  type: 'expression',
  name,
  expression: `'${value}'`,
})

const rows = {
  batch: { segmentGranularity: 'HOUR', queryGranularity: 'MINUTE' },
  speed: { segmentGranularity: 'HOUR', queryGranularity: 'MINUTE' },
  hour: { segmentGranularity: 'HOUR', queryGranularity: 'HOUR' },
  day: { segmentGranularity: 'DAY', queryGranularity: 'DAY' },
} as const satisfies Record<View, unknown>

export type SegmentGranularity = 'HOUR' | 'DAY' | 'WEEK'

/** How long the segments of a view are, before they are joined. */
export const segmentMs = (view: View): number => (view === 'day' ? dayMs : hourMs)

/** @param segments - longer ones than the view's own */
export const granularity = (
  view: View,
  intervals?: readonly string[],
  segments: SegmentGranularity = rows[view].segmentGranularity,
) => ({
  type: 'uniform',
  ...rows[view],
  segmentGranularity: segments,
  rollup: true,
  ...(intervals ? { intervals } : {}),
})

const jaasText = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

/** How Druid's own consumers reach the brokers. Holds the password. */
function consumerProperties(settings: Settings): Readonly<Record<string, string>> {
  const brokers = settings.CLICKLEDGER_DRUID_KAFKA_BROKERS
  const user = settings.CLICKLEDGER_KAFKA_USERNAME
  const mechanism = settings.CLICKLEDGER_KAFKA_SASL
  const module = mechanism === 'plain' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
  return {
    'bootstrap.servers': (brokers.length > 0 ? brokers : settings.CLICKLEDGER_KAFKA_BROKERS).join(
      ',',
    ),
    'isolation.level': 'read_committed',
    'security.protocol': `${user ? 'SASL_' : ''}${settings.CLICKLEDGER_KAFKA_TLS ? 'SSL' : 'PLAINTEXT'}`,
    ...(user
      ? {
          'sasl.mechanism': mechanism.toUpperCase(),
          'sasl.jaas.config': `org.apache.kafka.common.security.${module} required username=${jaasText(user)} password=${jaasText(settings.CLICKLEDGER_KAFKA_PASSWORD)};`,
        }
      : {}),
  }
}

/** Columns of the speed view, straight from judged clicks. */
function judgedSchema(dataSource: string, retentionMs: number): Spec {
  return {
    dataSource,
    timestampSpec: { column: 'event_time', format: 'millis' },
    dimensionsSpec: { dimensions: ['layer', ...dimensionNames].map(stringDimension) },
    metricsSpec: [
      ...sumMetrics.map(({ name, countedStatus }) => ({
        type: 'filtered',
        name,
        filter: isOneOf('status', countedStatus),
        aggregator: { type: 'longSum', name, fieldName: 'one' },
      })),
      ...uniqueMetrics.map(({ name, of }) => ({
        type: 'filtered',
        name,
        filter: {
          type: 'and',
          fields: [isOneOf('status', ['valid']), { type: 'not', field: isOneOf(of, ['']) }],
        },
        aggregator: sketch(name, of),
      })),
    ],
    granularitySpec: granularity('speed'),
    transformSpec: {
      transforms: [
        constant('layer', 'speed'),
        { type: 'expression', name: 'one', expression: '1' },
        // A click that was judged before a dimension was added does not have it.
        ...dimensionNames.map((name) => ({
          type: 'expression',
          name,
          expression: `nvl("${name}", '')`,
        })),
      ],
      // By the click's own times: whoever reads the log again, whenever, keeps the same clicks.
      filter: {
        type: 'expression',
        expression: `"judged_time" - "event_time" <= ${retentionMs}`,
      },
    },
  }
}

/** The supervisor that feeds the speed view from clicks.judged. */
export function supervisorSpec(settings: Settings): Spec {
  const names = druidNames(settings)
  const spec = {
    dataSchema: judgedSchema(names.speed, settings.CLICKLEDGER_SPEED_RETENTION),
    ioConfig: {
      topic: names.topic,
      inputFormat: { type: 'json' },
      consumerProperties: consumerProperties(settings),
      taskCount: settings.CLICKLEDGER_DRUID_TASKS,
      replicas: settings.CLICKLEDGER_DRUID_REPLICAS,
      taskDuration: `PT${Math.round(settings.CLICKLEDGER_DRUID_TASK_DURATION / 1000)}S`,
      startDelay: 'PT1S',
      period: 'PT5S',
      // In seconds, as Druid says it back: otherwise it would differ for ever.
      completionTimeout: 'PT1800S',
      useEarliestOffset: true,
    },
    tuningConfig: {
      type: 'kafka',
      maxRowsInMemory: 100_000,
      maxColumnsToMerge,
      maxRowsPerSegment: 5_000_000,
      intermediatePersistPeriod: 'PT2M',
      offsetFetchPeriod: 'PT5S',
      handoffConditionTimeout: 300_000,
      logParseExceptions: true,
      // Fewer than the default: a dead task is given up within seconds instead of a minute.
      chatRetries: 4,
      httpTimeout: 'PT5S',
      shutdownTimeout: 'PT20S',
    },
  }
  const digest = createHash('sha256').update(JSON.stringify(spec)).digest('hex')
  return { type: 'kafka', spec, context: { clickledgerSpec: digest } }
}

/**
 * Whether all of `wanted` is in what Druid has. Druid adds defaults; what was taken away again
 * shows in the digest.
 */
export function isWithin(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((entry, i) => isWithin(entry, actual[i]))
    )
  }
  if (typeof wanted === 'object' && wanted !== null) {
    if (typeof actual !== 'object' || actual === null) return false
    return Object.entries(wanted).every(([name, value]) =>
      isWithin(value, (actual as Record<string, unknown>)[name]),
    )
  }
  return wanted === actual
}
