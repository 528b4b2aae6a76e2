// The servers of Apache Druid: coordinator (it is the overlord, too), broker, historical, indexer and
// router. Settings are a production server's but for three things: sizes, periods of seconds instead
// of minutes, and one copy of everything.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { request } from 'undici'
import { until } from '#platform/wait.ts'
import { buckets, credentials, dataDirOf, portOf, type StackConfig } from '../state.ts'
import { type JavaMemory, javaNiceness, javaOptions } from './java.ts'
import type { ServerPlan } from './plan.ts'
import { toProperties } from './properties.ts'
import { s3Region } from './s3.ts'

export type DruidRole = 'coordinator' | 'broker' | 'historical' | 'indexer' | 'router'
type Properties = Readonly<Record<string, string | number | boolean>>

const leadsWithinMs = 60_000
const answerTimeoutMs = 5_000

export const druidLogging = `-Dlog4j.configurationFile=${fileURLToPath(new URL('log4j2.xml', import.meta.url))}`

const memoryOf: Readonly<Record<DruidRole, JavaMemory>> = {
  coordinator: { heap: ['128m', '384m'], direct: '64m' },
  broker: { heap: ['128m', '320m'], direct: '192m' },
  historical: { heap: ['128m', '320m'], direct: '192m' },
  indexer: { heap: ['256m', '1280m'], direct: '1g' },
  router: { heap: ['64m', '128m'], direct: '64m' },
}

/** Java 17 closes these to libraries that Druid uses. */
const openings = [
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.nio=ALL-UNNAMED',
  '--add-opens=java.base/sun.nio.ch=ALL-UNNAMED',
  '--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED',
  '--add-opens=java.base/java.io=ALL-UNNAMED',
  '--add-opens=java.base/java.lang=ALL-UNNAMED',
  '--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED',
]

export function planDruid(config: StackConfig, role: DruidRole): ServerPlan {
  const name = `druid-${role}` as const
  const dir = dataDirOf(config, name)
  const url = `http://127.0.0.1:${portOf(config, name)}`
  return {
    niceness: javaNiceness,
    command: [
      config.programs.java ?? 'java',
      ...javaOptions(memoryOf[role]),
      ...openings,
      druidLogging,
      '-Djava.util.logging.manager=org.apache.logging.log4j.jul.LogManager',
      `-Djava.io.tmpdir=${join(dir, 'tmp')}`,
      ...['-cp', join(config.programs.druid ?? '', 'core', '*')],
      ...['org.apache.druid.cli.Main', 'server', role],
    ],
    env: { AWS_REGION: s3Region },
    cwd: dir, // where Druid reads runtime.properties
    stopTimeoutMs: 40_000,
    prepare() {
      mkdirSync(join(dir, 'tmp'), { recursive: true })
      const settings = {
        ...commonSettings(config),
        'druid.service': `druid/${role}`,
        'druid.plaintextPort': portOf(config, name),
        ...settingsOf[role](dir),
      }
      writeFileSync(join(dir, 'runtime.properties'), toProperties(settings))
    },
    isReady: async () => (await call(`${url}/status/health`)) === true,
    ...(role === 'coordinator' ? { provide: () => keepOneReplica(url) } : {}),
  }
}

function commonSettings(config: StackConfig): Properties {
  const derby = `127.0.0.1:${portOf(config, 'derby')}`
  const metadata = join(dataDirOf(config, 'druid-coordinator'), 'metadata.db')
  const extensions = ['druid-kafka-indexing-service', 'druid-datasketches', 'druid-s3-extensions']
  return {
    'druid.extensions.directory': config.programs.druid ?? '',
    'druid.extensions.loadList': JSON.stringify(extensions),
    'druid.host': '127.0.0.1',
    'druid.bindOnHost': true,
    'druid.startup.logging.logProperties': false,
    'druid.zk.service.host': `127.0.0.1:${portOf(config, 'zookeeper')}`,
    'druid.zk.paths.base': '/druid',
    // Until its session is over a killed server counts as there: queries are sent to it and fail, and
    // a coordinator that was started again waits to become the leader. Default: half a minute.
    'druid.zk.service.sessionTimeoutMs': 10_000,
    'druid.metadata.storage.type': 'derby',
    'druid.metadata.storage.connector.connectURI': `jdbc:derby://${derby}/${metadata};create=true`,
    'druid.metadata.storage.connector.host': '127.0.0.1',
    'druid.metadata.storage.connector.port': portOf(config, 'derby'),
    'druid.storage.type': 's3',
    'druid.storage.bucket': buckets.segments,
    'druid.storage.baseKey': 'segments',
    'druid.storage.disableAcl': true,
    'druid.s3.accessKey': credentials.user,
    'druid.s3.secretKey': credentials.password,
    'druid.s3.endpoint.url': `http://127.0.0.1:${portOf(config, 's3')}`,
    'druid.s3.endpoint.signingRegion': s3Region,
    'druid.s3.enablePathStyleAccess': true,
    'druid.s3.protocol': 'http',
    'druid.indexer.logs.type': 'file',
    'druid.indexer.logs.directory': join(config.dir, 'log', 'druid-tasks'),
    'druid.selectors.indexing.serviceName': 'druid/overlord',
    'druid.selectors.coordinator.serviceName': 'druid/coordinator',
    'druid.monitoring.monitors': '[]',
    'druid.emitter': 'noop',
    'druid.server.http.numThreads': 30,
    // What stops waits so long for requests that poll; the default is half a minute.
    'druid.server.http.gracefulShutdownTimeout': 'PT2S',
    'druid.sql.enable': true,
    'druid.lookup.enableLookupSyncOnStartup': false,
  }
}

/** Buffers outside the heap need 16 MiB x (threads + merge buffers + 1). */
const processing = (dir: string, threads: number, mergeBuffers: number): Properties => ({
  'druid.processing.buffer.sizeBytes': '16MiB',
  'druid.processing.numThreads': threads,
  'druid.processing.numMergeBuffers': mergeBuffers,
  'druid.processing.tmpDir': join(dir, 'tmp'),
  'druid.query.groupBy.maxOnDiskStorage': '100MiB',
})

const settingsOf: Readonly<Record<DruidRole, (dir: string) => Properties>> = {
  coordinator: () => ({
    'druid.coordinator.asOverlord.enabled': true,
    'druid.coordinator.asOverlord.overlordService': 'druid/overlord',
    'druid.coordinator.startDelay': 'PT2S',
    'druid.coordinator.period': 'PT2S',
    'druid.coordinator.period.indexingPeriod': 'PT10S',
    'druid.manager.segments.pollDuration': 'PT2S',
    'druid.manager.rules.pollDuration': 'PT5S',
    'druid.indexer.storage.type': 'metadata',
    'druid.indexer.storage.recentlyFinishedThreshold': 'PT6H',
    'druid.indexer.queue.startDelay': 'PT2S',
    'druid.indexer.queue.restartDelay': 'PT2S',
    'druid.indexer.runner.type': 'httpRemote',
    // A task given to an indexer just as it died holds up all others for that long.
    'druid.indexer.runner.taskAssignmentTimeout': 'PT20S',
    'druid.indexer.runner.pendingTasksRunnerNumThreads': 4,
    'druid.indexer.runner.workerSyncNumThreads': 2,
  }),
  broker: (dir) => ({
    ...processing(dir, 1, 4),
    'druid.broker.http.numConnections': 10,
    'druid.broker.http.readTimeout': 'PT1M',
    'druid.broker.cache.useCache': false,
    'druid.broker.cache.populateCache': false,
    'druid.broker.segment.awaitInitializationOnStart': true,
    'druid.sql.planner.metadataRefreshPeriod': 'PT1S',
    'druid.sql.planner.metadataSegmentCacheEnable': false,
  }),
  historical: (dir) => ({
    ...processing(dir, 2, 2),
    'druid.segmentCache.locations': JSON.stringify([
      { path: join(dir, 'segments'), maxSize: '10GiB' },
    ]),
    'druid.segmentCache.numLoadingThreads': 2,
    'druid.historical.cache.useCache': false,
    'druid.historical.cache.populateCache': false,
  }),
  indexer: (dir) => ({
    ...processing(dir, 2, 2),
    'druid.worker.capacity': 12,
    // Shared by all slots, and more than the heap: Druid counts each sketch as if it were full, ten
    // times what it takes. The default, a sixth of the heap, cuts a day into thousands of parts, and
    // merging them takes gigabytes.
    'druid.worker.globalIngestionHeapLimitBytes': 3 * 2 ** 30,
    'druid.worker.numConcurrentMerges': 2,
    'druid.indexer.task.baseTaskDir': join(dir, 'tasks'),
    'druid.indexer.task.restoreTasksOnRestart': true,
    'druid.indexer.task.gracefulShutdownTimeout': 'PT5S',
    'druid.segment.handoff.pollDuration': 'PT2S',
  }),
  router: () => ({
    'druid.router.http.numConnections': 30,
    'druid.router.http.numMaxThreads': 40,
    'druid.router.http.readTimeout': 'PT5M',
    'druid.router.defaultBrokerServiceName': 'druid/broker',
    'druid.router.coordinatorServiceName': 'druid/coordinator',
    'druid.router.managementProxy.enabled': true,
    'druid.router.sql.enable': true,
  }),
}

/** Two copies are the default: with one historical no segment would ever count as loaded. */
async function keepOneReplica(url: string): Promise<void> {
  const rule = {
    type: 'loadForever',
    tieredReplicants: { _default_tier: 1 },
    useDefaultTierForNull: true,
  }
  // Until it leads, it sends away to a leader that may be its former self.
  let refusal: unknown
  const isTaken = () =>
    call(`${url}/druid/coordinator/v1/rules/_default`, [rule]).then(
      () => true,
      (error: unknown) => {
        refusal = error
        return false
      },
    )
  await until(isTaken, { timeoutMs: leadsWithinMs, what: `the coordinator takes a rule` }).catch(
    () => {
      throw refusal
    },
  )
}

/** @throws Error for an answer that is not a success */
async function call(url: string, body?: unknown): Promise<unknown> {
  const answer = await request(url, {
    ...{ headersTimeout: answerTimeoutMs, bodyTimeout: answerTimeoutMs },
    ...(body === undefined
      ? {}
      : {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        }),
  })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${url}: ${answer.statusCode} ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}
