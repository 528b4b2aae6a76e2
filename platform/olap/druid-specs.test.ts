import test from 'ava'
import { dimensionNames } from '#schemas/dimensions.ts'
import { metricNames } from '#schemas/metrics.ts'
import { dayMs } from '#schemas/paths.ts'
import { readSettings } from '../config.ts'
import { anchorLayer, anchorTask, dayTask, loadTask } from './druid-load-specs.ts'
import { druidNames, isWithin, supervisorSpec } from './druid-specs.ts'

const settings = (more = {}) =>
  readSettings({
    CLICKLEDGER_NAMESPACE: 'ns',
    CLICKLEDGER_KAFKA_BROKERS: 'k1:9092,k2:9092',
    CLICKLEDGER_S3_BUCKET: 'bucket',
    ...more,
  })

interface Schema {
  readonly dimensionsSpec: { readonly dimensions: readonly { readonly name: string }[] }
  readonly metricsSpec: readonly { readonly name: string }[]
}
const schemaOf = (spec: unknown) => (spec as { spec: { dataSchema: Schema } }).spec.dataSchema
const namesOf = (schema: Schema) => ({
  dimensions: schema.dimensionsSpec.dimensions.map(({ name }) => name),
  metrics: schema.metricsSpec.map(({ name }) => name),
})

test('all views have every dimension and metric of the schemas', (t) => {
  const names = druidNames(settings())
  t.deepEqual(namesOf(schemaOf(supervisorSpec(settings()))), {
    dimensions: ['layer', ...dimensionNames],
    metrics: [...metricNames],
  })
  t.deepEqual(namesOf(schemaOf(loadTask('id', names, 'batch', [0], ['s3://b/k'], 1))), {
    dimensions: ['layer', 'run', ...dimensionNames],
    metrics: [...metricNames],
  })
  for (const task of [
    loadTask('id', names, 'hour', [0], ['s3://b/k'], 1),
    dayTask('id', names, { start: 0, end: dayMs, from: 'hour', segments: 'DAY' }),
  ]) {
    t.deepEqual(namesOf(schemaOf(task)), {
      dimensions: ['layer', 'mark', ...dimensionNames],
      metrics: [...metricNames],
    })
  }
})

test('names are in the namespace, and plain without one', (t) => {
  const { objectUri, ...names } = druidNames(settings())
  t.deepEqual(names, {
    batch: 'ns_clicks_batch',
    hour: 'ns_clicks_hour',
    day: 'ns_clicks_day',
    speed: 'ns_clicks_speed',
    topic: 'ns.clicks.judged',
  })
  t.is(objectUri('loads/r/1.json.gz'), 's3://bucket/ns/loads/r/1.json.gz')
  const plain = druidNames(settings({ CLICKLEDGER_NAMESPACE: '' }))
  t.is(plain.objectUri('a'), 's3://bucket/a')
  t.is(plain.speed, 'clicks_speed')
})

test('Druid logs in to the brokers as the settings say', (t) => {
  const properties = (more: object) =>
    (
      supervisorSpec(settings(more)) as unknown as {
        spec: { ioConfig: { consumerProperties: Record<string, string> } }
      }
    ).spec.ioConfig.consumerProperties
  t.is(properties({})['security.protocol'], 'PLAINTEXT')
  t.is(properties({})['bootstrap.servers'], 'k1:9092,k2:9092')
  const other = { CLICKLEDGER_DRUID_KAFKA_BROKERS: 'inside:9092' }
  t.is(properties(other)['bootstrap.servers'], 'inside:9092')
  const secured = properties({
    CLICKLEDGER_KAFKA_TLS: 'true',
    CLICKLEDGER_KAFKA_USERNAME: 'druid',
    CLICKLEDGER_KAFKA_PASSWORD: 'a"b\\c',
    CLICKLEDGER_KAFKA_SASL: 'scram-sha-512',
  })
  t.is(secured['security.protocol'], 'SASL_SSL')
  t.is(secured['sasl.mechanism'], 'SCRAM-SHA-512')
  t.true(secured['sasl.jaas.config']?.includes('password="a\\"b\\\\c";'))
})

test('a supervisor is the same as Druid has it, defaults added, and no other', (t) => {
  const wanted = supervisorSpec(settings())
  const echo = structuredClone(wanted) as { spec: { ioConfig: object } }
  Object.assign(echo, { suspended: false })
  Object.assign(echo.spec.ioConfig, { stopTaskCount: null })
  t.true(isWithin(wanted, echo))
  t.false(isWithin(wanted, undefined))
  t.false(isWithin(supervisorSpec(settings({ CLICKLEDGER_DRUID_TASKS: '2' })), echo))
  // What was taken away shows in the digest.
  const secured = settings({ CLICKLEDGER_KAFKA_USERNAME: 'u', CLICKLEDGER_KAFKA_PASSWORD: 'p' })
  t.false(isWithin(wanted, structuredClone(supervisorSpec(secured))))
})

test('an anchor names the columns it was made for, and is all zeros', (t) => {
  t.regex(anchorLayer('speed'), /^anchor-[0-9a-f]{12}$/)
  t.not(anchorLayer('speed'), anchorLayer('batch'))
  const { spec } = anchorTask('id', 'speed', 'd') as unknown as {
    spec: { ioConfig: { inputSource: { data: string } } }
  }
  const row = JSON.parse(spec.ioConfig.inputSource.data)
  t.is(row.gross_click_count, 0)
  t.is(row.layer, anchorLayer('speed'))
})
