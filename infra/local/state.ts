// What the local stack is and where: names of servers, their ports, and the state file by which any
// process finds them. The state file says which servers belong to the stack and how they are
// started; whether one runs is known by its pid file alone (processes.ts).
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SettingName } from '#schemas/settings.ts'
import { runningPid } from './processes.ts'

/** In the order of the table that users see. */
export const serverNames = [
  'kafka',
  'zookeeper',
  'druid-coordinator',
  'druid-broker',
  'druid-historical',
  'druid-indexer',
  'druid-router',
  's3',
  'postgres',
  'redis',
] as const
export type ServerName = (typeof serverNames)[number]

/** Ports of a stack are one block: its first port and these. */
const portOffsets = {
  s3: 0,
  postgres: 1,
  redis: 2,
  kafka: 3,
  kafkaController: 4,
  zookeeper: 5,
  derby: 6,
  'druid-coordinator': 7,
  'druid-broker': 8,
  'druid-historical': 9,
  'druid-indexer': 10,
  'druid-router': 11,
} as const satisfies Record<ServerName | 'kafkaController' | 'derby', number>
export const portsInBlock = Object.keys(portOffsets).length

export const kafkaVersions = ['4.4', '3.9'] as const
export type KafkaVersion = (typeof kafkaVersions)[number]

/** Where the programs of the servers are. */
export interface Programs {
  readonly java: string
  /** Folder of initdb and postgres. */
  readonly postgres: string
  readonly redis: string
  /** Folder of the jars. */
  readonly kafka: string
  /** Folder that holds core/ and the extensions. */
  readonly druid: string
  readonly versitygw: string
}

export interface StackConfig {
  /** Absolute path of the data folder. */
  readonly dir: string
  readonly portBase: number
  readonly kafkaVersion: KafkaVersion
  readonly servers: readonly ServerName[]
  /** Those that `servers` need. */
  readonly programs: Partial<Programs>
}

export interface StackState {
  /** CLICKLEDGER_ settings that name every server. */
  readonly env: Readonly<Record<string, string>>
  /** As of the last start of a server; a server that does not run is not listed. */
  readonly servers: Readonly<Partial<Record<ServerName, { pid: number; port: number }>>>
  readonly config: StackConfig
}

/** Loopback only, and no other server of the stack asks who you are: no secrets, but defaults. */
export const credentials = { user: 'clickledger', password: 'clickledger' } as const
export const buckets = { archive: 'clickledger', segments: 'druid' } as const

export const portOf = (config: StackConfig, name: keyof typeof portOffsets): number =>
  config.portBase + portOffsets[name]

export const pidFileOf = (config: StackConfig, name: ServerName) =>
  join(config.dir, 'run', `${name}.pid`)
export const logFileOf = (config: StackConfig, name: ServerName) =>
  join(config.dir, 'log', `${name}.log`)
/** Data of one server. */
export const dataDirOf = (config: StackConfig, name: ServerName) => join(config.dir, name)
export const stateFileOf = (dir: string) => join(dir, 'stack.json')

/** The settings with which clickledger uses the servers of this stack. */
export function settingsOf(config: StackConfig): Record<string, string> {
  const at = (name: ServerName) => `127.0.0.1:${portOf(config, name)}`
  const { user, password } = credentials
  const ofServer: Partial<Record<ServerName, Partial<Record<SettingName, string>>>> = {
    kafka: { CLICKLEDGER_KAFKA_BROKERS: at('kafka'), CLICKLEDGER_KAFKA_REPLICATION: '1' },
    'druid-router': { CLICKLEDGER_DRUID_URL: `http://${at('druid-router')}` },
    s3: {
      CLICKLEDGER_S3_ENDPOINT: `http://${at('s3')}`,
      CLICKLEDGER_S3_PATH_STYLE: 'true',
      CLICKLEDGER_S3_BUCKET: buckets.archive,
      CLICKLEDGER_S3_ACCESS_KEY: user,
      CLICKLEDGER_S3_SECRET_KEY: password,
    },
    postgres: {
      CLICKLEDGER_POSTGRES_URL: `postgres://${user}:${password}@${at('postgres')}/clickledger`,
    },
    redis: { CLICKLEDGER_REDIS_URL: `redis://:${password}@${at('redis')}` },
  }
  return Object.assign({}, ...config.servers.map((name) => ofServer[name] ?? {}))
}

/** Writes the state file anew, with the servers that run now. In one go: readers never see half. */
export function writeState(config: StackConfig): StackState {
  const running = config.servers.flatMap((name) => {
    const pid = runningPid(pidFileOf(config, name))
    return pid === undefined ? [] : [[name, { pid, port: portOf(config, name) }] as const]
  })
  const state = { env: settingsOf(config), servers: Object.fromEntries(running), config }
  const file = stateFileOf(config.dir)
  writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(state, undefined, 2)}\n`)
  renameSync(`${file}.${process.pid}`, file)
  return state
}

/** @throws Error where the text is not the state of a stack */
export function parseState(text: string): StackState {
  const state: StackState = JSON.parse(text)
  const { dir, portBase, servers, kafkaVersion } = state?.config ?? {}
  if (
    typeof dir !== 'string' ||
    !Number.isInteger(portBase) ||
    !Array.isArray(servers) ||
    !servers.every((name) => serverNames.includes(name)) ||
    !kafkaVersions.includes(kafkaVersion)
  ) {
    throw new Error('not the state file of a stack')
  }
  return state
}

/** The state in this file; undefined where there is none. @throws Error where it is no state */
export function readState(file: string): StackState | undefined {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return parseState(text)
  } catch (error) {
    throw new Error(`${file} is damaged; stop its servers and remove it`, { cause: error })
  }
}
