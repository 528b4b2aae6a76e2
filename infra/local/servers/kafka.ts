// Apache Kafka, one node that is broker and controller (KRaft). One node: whatever is replicated by
// default must be told to have one replica, or transactions wait for ever.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSettings } from '#platform/config.ts'
import { kafkaClient } from '#platform/event-log/kafka-client.ts'
import { run } from '../run.ts'
import { dataDirOf, portOf, type StackConfig, settingsOf } from '../state.ts'
import { javaNiceness, javaOptions } from './java.ts'
import type { ServerPlan } from './plan.ts'
import { toProperties } from './properties.ts'

export function planKafka(config: StackConfig): ServerPlan {
  const dir = dataDirOf(config, 'kafka')
  const java = config.programs.java ?? 'java'
  const properties = join(dir, 'server.properties')
  const logging = logFile(config, dir)
  const classpath = ['-cp', join(config.programs.kafka ?? '', '*')]
  const memory = { heap: ['256m', '512m'], direct: '128m' } as const
  return {
    niceness: javaNiceness,
    command: [
      java,
      ...javaOptions(memory),
      logging.option,
      ...classpath,
      'kafka.Kafka',
      properties,
    ],
    cwd: dir,
    stopTimeoutMs: 30_000,
    async prepare() {
      mkdirSync(dir, { recursive: true })
      writeFileSync(properties, toProperties(brokerSettings(config, dir)))
      writeFileSync(logging.file, logging.text)
      if (existsSync(join(dir, 'log', 'meta.properties'))) return
      const format = ['kafka.tools.StorageTool', 'format', '--ignore-formatted']
      await run(java, [
        ...[
          '-Xmx128m',
          '-XX:+UseSerialGC',
          '-XX:TieredStopAtLevel=1',
          logging.option,
          ...classpath,
        ],
        ...[...format, '-t', clusterId(), '-c', properties],
      ])
    },
    isReady: () => isReady(config),
  }
}

/** 16 bytes in the base64 of URLs. A first character `-` would be read as an option. */
const clusterId = () => `A${randomBytes(16).toString('base64url').slice(1, 22)}`

function brokerSettings(config: StackConfig, dir: string) {
  const at = (name: 'kafka' | 'kafkaController') => `127.0.0.1:${portOf(config, name)}`
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${at('kafkaController')}`,
    listeners: `BROKER://${at('kafka')},CONTROLLER://${at('kafkaController')}`,
    'advertised.listeners': `BROKER://${at('kafka')}`,
    'listener.security.protocol.map': 'BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(dir, 'log'),
    // Clicks of years ago, replayed with their own times, are older than any retention when they come.
    'log.retention.check.interval.ms': 3_600_000,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    // share groups, which 3.9 does not know: a setting it does not know it ignores
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'auto.create.topics.enable': false, // a misspelt topic is an error, as it should be in production
    'group.initial.rebalance.delay.ms': 0,
    // an abandoned transaction holds readers back: look for those often
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': 2_000,
    'log.segment.bytes': 64 * 1024 * 1024,
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'message.max.bytes': 4 * 1024 * 1024,
  }
}

/** 3.9 and 4.x log through different libraries. */
function logFile({ kafkaVersion }: StackConfig, dir: string) {
  if (kafkaVersion === '3.9') {
    const file = join(dir, 'log4j.properties')
    const out = 'log4j.appender.out'
    const text = toProperties({
      'log4j.rootLogger': 'WARN, out',
      [out]: 'org.apache.log4j.ConsoleAppender',
      [`${out}.layout`]: 'org.apache.log4j.PatternLayout',
      [`${out}.layout.ConversionPattern`]: '%d %p %c{1} %m%n',
    })
    return { file, text, option: `-Dlog4j.configuration=file:${file}` }
  }
  const file = join(dir, 'log4j2.properties')
  const text = toProperties({
    'appender.out.type': 'Console',
    'appender.out.name': 'out',
    'appender.out.layout.type': 'PatternLayout',
    'appender.out.layout.pattern': '%d %p %c{1} %m%n',
    'rootLogger.level': 'WARN',
    'rootLogger.appenderRef.out.ref': 'out',
  })
  return { file, text, option: `-Dlog4j2.configurationFile=${file}` }
}

/** Answers and has taken itself into its cluster. */
async function isReady(config: StackConfig): Promise<boolean> {
  const admin = kafkaClient(readSettings(settingsOf(config))).admin()
  try {
    await admin.connect()
    return (await admin.describeCluster()).brokers.length === 1
  } finally {
    await admin.disconnect()
  }
}
