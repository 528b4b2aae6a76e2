import test from 'ava'
import { readSettings } from './config.ts'

test('defaults need nothing set, and are frozen', (t) => {
  const settings = readSettings({ PATH: '/usr/bin' })
  t.is(settings.CLICKLEDGER_INGEST_PORT, 8080)
  t.is(settings.CLICKLEDGER_HOST, '127.0.0.1')
  t.is(settings.CLICKLEDGER_SPEED_WINDOW, 600_000)
  t.is(settings.CLICKLEDGER_WAL_SEGMENT_BYTES, 64 * 1024 * 1024)
  t.deepEqual(settings.CLICKLEDGER_SIGNING_KEY_IDS, ['k1'])
  t.true(Object.isFrozen(settings))
})

test('all faults are told at once, by name, without showing secrets', (t) => {
  const error = t.throws(() =>
    readSettings({
      CLICKLEDGER_INGEST_PORT: 'eighty',
      CLICKLEDGER_ACK: 'maybe',
      CLICKLEDGER_SPEED_WINDOW: '10 minutes',
      CLICKLEDGER_PARTITIONS: '0',
      CLICKLEDGER_TYPO: '1',
    }),
  )
  t.regex(error.message, /5 faults/)
  for (const part of [
    /CLICKLEDGER_INGEST_PORT: "eighty" is not a whole number/,
    /CLICKLEDGER_ACK: "maybe" is not one of wal, log/,
    /CLICKLEDGER_SPEED_WINDOW: .*PT10M/,
    /CLICKLEDGER_PARTITIONS: .*minimum of 1/,
    /CLICKLEDGER_TYPO: no such setting/,
  ]) {
    t.regex(error.message, part)
  }
})

test('settings that need others say which are missing', (t) => {
  const error = t.throws(() => readSettings({ CLICKLEDGER_DRUID_URL: 'http://druid:8888' }))
  t.regex(error.message, /CLICKLEDGER_DRUID_URL: needs CLICKLEDGER_KAFKA_BROKERS to be set, too/)
  t.regex(error.message, /CLICKLEDGER_DRUID_URL: needs CLICKLEDGER_S3_BUCKET to be set, too/)
})
