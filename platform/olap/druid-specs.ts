// Everything Druid is told about its two datasources, generated from schemas/: the supervisor of the
// speed view, the load task of the batch view, the anchor of each. Sums and uniques mean the same in
// both, or the union query would mix meanings.
import { createHash } from 'node:crypto'
import { dimensionNames } from '#schemas/dimensions.ts'
import { sumMetrics, uniqueMetrics } from '#schemas/metrics.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import type { Settings } from '../config.ts'

export type View = 'batch' | 'speed'

type Spec = Readonly<Record<string, unknown>>

/** Names inside Druid and the object store, each in this installation's namespace. */
export function druidNames(settings: Settings) {
  const namespace = settings.CLICKLEDGER_NAMESPACE
  const prefixed = (separator: string) => (namespace === '' ? '' : `${namespace}${separator}`)
  return {
    batch: `${prefixed('_')}clicks_batch`,
    speed: `${prefixed('_')}clicks_speed`,
    topic: `${prefixed('.')}${topics.judged.name}`,
    objectUri: (key: string) => `s3://${settings.CLICKLEDGER_S3_BUCKET}/${prefixed('/')}${key}`,
  }
}

export type DruidNames = ReturnType<typeof druidNames>

/** The anchor's hour: long after any click, because the newest hour decides (see anchorTask). */
export const anchorTime = Date.UTC(2100, 0, 1)

export const intervalOf = (start: number, end: number): string =>
  `${new Date(start).toISOString()}/${new Date(end).toISOString()}`

const stringDimension = (name: string) => ({ type: 'string', name })
const sketch = (name: string, fieldName: string) => ({
  type: 'HLLSketchBuild',
  name,
  fieldName,
  lgK: 12,
  tgtHllType: 'HLL_4',
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

const granularity = (intervals?: readonly string[]) => ({
  type: 'uniform',
  segmentGranularity: 'HOUR',
  queryGranularity: 'MINUTE',
  rollup: true,
  ...(intervals ? { intervals } : {}),
})

/** Columns of rows that are aggregates already: loads of the batch view, and anchors. */
function aggregateSchema(view: View, dataSource: string, intervals: readonly string[]): Spec {
  const own = view === 'batch' ? ['layer', 'run'] : ['layer']
  return {
    dataSource,
    timestampSpec: { column: 'minute', format: 'millis' },
    dimensionsSpec: { dimensions: [...own, ...dimensionNames].map(stringDimension) },
    metricsSpec: [
      ...sumMetrics.map(({ name }) => ({ type: 'longSum', name, fieldName: name })),
      ...uniqueMetrics.map(({ name, members }) => sketch(name, members)),
    ],
    granularitySpec: granularity(intervals),
  }
}

interface LoadSpec {
  readonly id: string
  readonly view: View
  readonly dataSource: string
  readonly intervals: readonly string[]
  readonly inputSource: Spec
}

/** Replaces the intervals by the rows of the input, whatever was there before. */
function replaceTask({ id, view, dataSource, intervals, inputSource }: LoadSpec): Spec {
  return {
    type: 'index_parallel',
    id,
    spec: {
      dataSchema: aggregateSchema(view, dataSource, intervals),
      ioConfig: {
        type: 'index_parallel',
        appendToExisting: false,
        dropExisting: true,
        inputSource,
        inputFormat: { type: 'json' },
      },
      tuningConfig: {
        type: 'index_parallel',
        partitionsSpec: { type: 'dynamic', maxRowsPerSegment: 5_000_000 },
        maxNumConcurrentSubTasks: 1, // in its own slot: never waits for a second one
        maxRowsInMemory: 150_000,
        maxParseExceptions: 0, // a row that is left out would be a wrong bill
        logParseExceptions: true,
      },
    },
  }
}

/** @param uris - gzipped JSON lines of aggregates; none: the hours become empty */
export function loadTask(
  id: string,
  names: DruidNames,
  hours: readonly number[],
  uris: readonly string[],
): Spec {
  // An input has to have something: a row outside of the hours is left out.
  const nothing = { type: 'inline', data: JSON.stringify({ minute: anchorTime }) }
  return replaceTask({
    ...{ id, view: 'batch', dataSource: names.batch },
    intervals: hours.map((hour) => intervalOf(hour, hour + hourMs)),
    inputSource: uris.length > 0 ? { type: 's3', uris } : nothing,
  })
}

/** Names the columns that an anchor was made for. */
export const anchorLayer = (view: View): string => {
  const columns = JSON.stringify(aggregateSchema(view, '', []))
  return `anchor-${createHash('sha256').update(columns).digest('hex').slice(0, 12)}`
}

/**
 * One row of zeros in a published segment of its own, newer than all others. SQL takes the type of a
 * column from the newest hour. In a realtime task a sketch has another type until it is published,
 * which no union can take, or, once the task has spilled to disk, none at all.
 */
export function anchorTask(id: string, view: View, dataSource: string): Spec {
  const row = {
    minute: anchorTime,
    layer: anchorLayer(view),
    ...Object.fromEntries(dimensionNames.map((name) => [name, ''])),
    ...Object.fromEntries(sumMetrics.map(({ name }) => [name, 0])),
  }
  return replaceTask({
    ...{ id, view, dataSource },
    intervals: [intervalOf(anchorTime, anchorTime + hourMs)],
    inputSource: { type: 'inline', data: JSON.stringify(row) },
  })
}

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
    granularitySpec: granularity(),
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
