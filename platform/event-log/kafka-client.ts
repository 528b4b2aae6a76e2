// The kafkajs client as this project uses it: settings, compression, silence, and what its errors
// mean. Its own `retriable` flag is about its inner retries and says nothing here: look at causes.
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { ClickledgerError } from '#schemas/errors.ts'
import type { Settings } from '../config.ts'
import { within as inTime } from '../wait.ts'

const connectionTimeoutMs = 2_000
const authenticationTimeoutMs = 5_000
const keepAliveMs = 60_000
/** Then connections are cut: kafkajs waits for ever for an answer that a hung broker owes. */
const politeMs = 5_000
/** A request that no answer came to; a hung broker is noticed after this. */
export const requestTimeoutMs = 5_000
/** Of one request inside kafkajs, where a broker restarts or a coordinator is busy. */
const retry = { initialRetryTime: 20, maxRetryTime: 500, retries: 8 }
const zstdLevel = 1

/** Acknowledged by all replicas in sync, or an error. */
export const sendOptions = {
  acks: -1,
  timeout: requestTimeoutMs - 500,
  compression: kafkajs.CompressionTypes.ZSTD,
}

export type KafkaSettings = Pick<
  Settings,
  | 'CLICKLEDGER_NAMESPACE'
  | 'CLICKLEDGER_KAFKA_BROKERS'
  | 'CLICKLEDGER_KAFKA_USERNAME'
  | 'CLICKLEDGER_KAFKA_PASSWORD'
  | 'CLICKLEDGER_KAFKA_SASL'
  | 'CLICKLEDGER_KAFKA_TLS'
  | 'CLICKLEDGER_KAFKA_REPLICATION'
>

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const params = { [constants.ZSTD_c_compressionLevel]: zstdLevel }

function prepareThread(): void {
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: (encoder: { buffer: Buffer }) => compress(encoder.buffer, { params }),
    decompress: (buffer: Buffer) => decompress(buffer),
  })
  // kafkajs asks for timers in the past after every answer; Node would say so on stderr.
  const emit = process.emitWarning.bind(process) as (...given: unknown[]) => void
  process.emitWarning = (...given: unknown[]) => {
    if (!given.includes('TimeoutNegativeWarning')) emit(...given)
  }
}
prepareThread()

/** @param socketFactory - for tests that cut or mute connections */
export function kafkaClient(
  settings: KafkaSettings,
  socketFactory?: kafkajs.ISocketFactory,
): kafkajs.Kafka {
  const username = settings.CLICKLEDGER_KAFKA_USERNAME
  const password = settings.CLICKLEDGER_KAFKA_PASSWORD
  const sasl = { mechanism: settings.CLICKLEDGER_KAFKA_SASL, username, password }
  return new kafkajs.Kafka({
    clientId: 'clickledger',
    brokers: [...settings.CLICKLEDGER_KAFKA_BROKERS],
    ssl: settings.CLICKLEDGER_KAFKA_TLS,
    ...(username !== '' && { sasl: sasl as kafkajs.SASLOptions }),
    connectionTimeout: connectionTimeoutMs,
    authenticationTimeout: authenticationTimeoutMs,
    requestTimeout: requestTimeoutMs,
    retry,
    logLevel: kafkajs.logLevel.NOTHING,
    logCreator: () => () => {},
    ...(socketFactory && { socketFactory }),
  })
}

const openSocket: kafkajs.ISocketFactory = ({ host, port, ssl, onConnect }) => {
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) === 0 && { servername: host }), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect)
  return socket.setKeepAlive(true, keepAliveMs)
}

/** A client for one producer, consumer or reader, whose connections can be ended for certain. */
export interface KafkaConnection {
  readonly client: kafkajs.Kafka
  /** How many connections broke so far. */
  readonly losses: number
  /** Disconnects politely, then cuts what is left. Never rejects. */
  end(disconnect: () => Promise<unknown>): Promise<void>
}

export type KafkaConnect = () => KafkaConnection

export function kafkaConnect(
  settings: KafkaSettings,
  open: kafkajs.ISocketFactory = openSocket,
): KafkaConnect {
  return () => {
    const sockets = new Set<Socket>()
    let ended = false
    let losses = 0
    const client = kafkaClient(settings, (to) => {
      const socket = open(to)
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        losses++
      })
      if (ended) socket.destroy() // tries of something that was given up
      return socket
    })
    return {
      client,
      get losses() {
        return losses
      },
      async end(disconnect) {
        await within(politeMs, 'disconnecting', disconnect()).catch(() => {})
        ended = true
        for (const socket of sockets) socket.destroy()
      },
    }
  }
}

/** Names on the servers: every one begins with the namespace, where there is one. */
export function kafkaNames({ CLICKLEDGER_NAMESPACE: namespace }: KafkaSettings) {
  const prefix = namespace === '' ? '' : `${namespace}.`
  return {
    topic: (name: string) => prefix + name,
    group: (name: string) => prefix + name,
    transactionalId: (group: string, topic: string, partition: number) =>
      `${prefix}${group}.${topic}.${partition}`,
  }
}

export type KafkaNames = ReturnType<typeof kafkaNames>

interface KafkaFailure {
  readonly name?: string
  readonly message?: string
  readonly stack?: string
  readonly type?: string
  readonly code?: string | number
  readonly retriable?: boolean
  readonly cause?: unknown
}

function* causes(error: unknown): Generator<KafkaFailure> {
  let at = error as KafkaFailure | undefined
  for (let depth = 0; at && typeof at === 'object' && depth < 10; depth++) {
    yield at
    at = at.cause as KafkaFailure | undefined
  }
}

/** Name of the error of a send that kafkajs says is done, and that it never made. */
export const notSent = 'NotSent'

const awayNames = new Set([
  notSent,
  'DeadlinePassed',
  'ConnectionGivenUp',
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
  'KafkaJSBrokerNotFound',
  'KafkaJSNoBrokerAvailableError',
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSMetadataNotLoaded',
  'KafkaJSTopicMetadataNotLoaded',
])

/** With `retriable`; the second is what kafkajs makes of the first while it joins a group. */
const waitingNames = new Set(['KafkaJSProtocolError', 'KafkaJSError'])

/** A plain Error of kafkajs where a broker was disconnected between two steps. */
const notConnected = 'Broker not connected'
/** kafkajs has null for the answer where every broker is gone, and stumbles over it. */
const isStumble = ({ name, stack }: KafkaFailure) =>
  name === 'TypeError' && /[\\/]kafkajs[\\/]/.test(stack ?? '')

/** Whether waiting can help: a broker is away, restarting, hung, or no longer leads. */
export function isAway(error: unknown): boolean {
  for (const cause of causes(error)) {
    const { name = '', message, retriable } = cause
    if (awayNames.has(name) || message === notConnected || isStumble(cause)) return true
    if (waitingNames.has(name) && retriable) return true
  }
  return false
}

const fencedTypes = new Set([
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'TRANSACTION_COORDINATOR_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
])
const producerFencedCode = 90 // newer than kafkajs, which has no name for it

/** Whether another producer has the same transactional id by now, or the transaction ran out of time. */
export function isFenced(error: unknown): boolean {
  for (const { type = '', code } of causes(error)) {
    if (fencedTypes.has(type) || code === producerFencedCode) return true
  }
  return false
}

export const hasType = (error: unknown, ...types: readonly string[]): boolean =>
  [...causes(error)].some(
    ({ type, name }) => types.includes(type ?? '') || types.includes(name ?? ''),
  )

/** A promise of kafkajs that may never settle, bounded. What it was doing may still happen. */
export function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  return inTime(work, ms, () => {
    const error = new Error(`Kafka did not answer within ${ms} ms: ${what}`)
    error.name = 'DeadlinePassed'
    return error
  })
}

const loginTypes = [
  'KafkaJSSASLAuthenticationError',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'ILLEGAL_SASL_STATE',
] as const
const rightsTypes = [
  'CLUSTER_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
] as const

/** What an operator should read instead of a kafkajs error. */
export function explained(settings: KafkaSettings, error: unknown): unknown {
  if (error instanceof ClickledgerError) return error
  const brokers = settings.CLICKLEDGER_KAFKA_BROKERS.join(', ')
  const detail = error instanceof Error ? error.message : String(error)
  if (hasType(error, ...loginTypes)) {
    return new ClickledgerError(
      'invalid-settings',
      `Kafka at ${brokers} refuses the login (${detail}). Correct CLICKLEDGER_KAFKA_USERNAME, CLICKLEDGER_KAFKA_PASSWORD and CLICKLEDGER_KAFKA_SASL (${settings.CLICKLEDGER_KAFKA_SASL}); the brokers of CLICKLEDGER_KAFKA_BROKERS must offer that mechanism.`,
      error,
    )
  }
  if (hasType(error, ...rightsTypes)) {
    return new ClickledgerError(
      'invalid-settings',
      `Kafka at ${brokers} does not let the user "${settings.CLICKLEDGER_KAFKA_USERNAME}" do that (${detail}). Give the user of CLICKLEDGER_KAFKA_USERNAME the rights to make, describe, read and write topics, groups and transactional ids that begin with "${settings.CLICKLEDGER_NAMESPACE}", and idempotent writes.`,
      error,
    )
  }
  if (!isAway(error)) return error
  return new ClickledgerError(
    'unavailable',
    `Kafka does not answer (${detail}). Start it, or correct CLICKLEDGER_KAFKA_BROKERS (${brokers}), CLICKLEDGER_KAFKA_TLS (${settings.CLICKLEDGER_KAFKA_TLS}), and, if the brokers want a login, CLICKLEDGER_KAFKA_USERNAME and CLICKLEDGER_KAFKA_PASSWORD.`,
    error,
  )
}
