import test from 'ava'
import { readSettings } from '#platform/config.ts'
import { withNeeded } from './stack.ts'
import { parseState, type StackConfig, serverNames, settingsOf } from './state.ts'

const config: StackConfig = {
  dir: '/data/stack',
  portBase: 19_000,
  kafkaVersion: '4.4',
  servers: serverNames,
  programs: {},
}

test('a state is what was written, and nothing else is taken for one', (t) => {
  const state = { env: settingsOf(config), servers: {}, config }
  t.deepEqual(parseState(JSON.stringify(state)), state)
  const wrong = [
    {},
    null,
    { config: { ...config, portBase: '19000' } },
    { config: { ...config, servers: ['mysql'] } },
    { config: { ...config, kafkaVersion: '0.8' } },
  ]
  for (const value of wrong) t.throws(() => parseState(JSON.stringify(value)))
  t.throws(() => parseState('{"env":'))
})

test('the settings of a stack are settings of clickledger, each server with its own', (t) => {
  const settings = readSettings(settingsOf(config))
  t.deepEqual(settings.CLICKLEDGER_KAFKA_BROKERS, ['127.0.0.1:19003'])
  t.is(settings.CLICKLEDGER_S3_ENDPOINT, 'http://127.0.0.1:19000')
  t.deepEqual(Object.keys(settingsOf({ ...config, servers: ['redis'] })), ['CLICKLEDGER_REDIS_URL'])
})

test('a server brings those that it needs', (t) => {
  t.deepEqual(withNeeded(['redis']), ['redis'])
  t.deepEqual(withNeeded(['druid-indexer']), ['zookeeper', 'druid-indexer', 's3'])
})
