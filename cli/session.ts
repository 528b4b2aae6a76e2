// One way for every command to reach an instance: the one at --url, the one that runs on the data
// directory, or a private one started for this command alone. All work goes through the API of either;
// what is written past it is the short-lived key, and the request to archive, both in the catalogue.
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createApiKey, hashApiKey } from '#platform/api-keys.ts'
import type { Queryable } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import { dataPaths, openCatalogue } from '#platform/stack.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { requestArchive } from '../batch-layer/archive/requests.ts'
import { type Api, callOnce, createApi } from './api.ts'
import { WrongUse } from './exit.ts'

const keyLifeMs = 3_600_000
const liveTimeoutMs = 3_000
const keyRenewedEveryMs = keyLifeMs / 4
/** A private instance does not rebuild half an import again and again: the command says when. */
const privateSealIntervalMs = 3_600_000

export interface SessionOptions {
  readonly settings: Settings
  /** Serving URL. */
  readonly url?: string | undefined
  readonly key?: string | undefined
  /** Where ingest is, if the instance itself does not know how it is reached. */
  readonly ingestUrl?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Session {
  readonly api: Api
  readonly key: string
  /** Started for this command, and stopped with it. */
  readonly isPrivate: boolean
  readonly signal: AbortSignal | undefined
  ingestUrl(): Promise<string>
  /**
   * Asks the archive to take all below these offsets now, not when its interval is over. Absent where
   * only the API is at hand.
   */
  archiveUntil?(ends: readonly number[]): Promise<void>
}

export interface PrivateInstance {
  readonly ingestUrl: string
  readonly servingUrl: string
  close(): Promise<void>
}

export type StartInstance = (settings: Settings) => Promise<PrivateInstance>

const startPrivate: StartInstance = async (settings) => {
  const { startAll } = await import('./start.ts') // late: it brings every layer with it
  return startAll(settings, { quiet: true })
}

/** What a running instance leaves in its data directory; only its owner may read it. */
export interface InstanceFile {
  readonly pid: number
  readonly ingestUrl: string
  readonly servingUrl: string
  /** Where its catalogue is, if that is not in the data directory too. */
  readonly catalogue: Pick<Settings, 'CLICKLEDGER_POSTGRES_URL' | 'CLICKLEDGER_NAMESPACE'>
}

/** Says where the instance is. @returns what takes it back */
export function announceInstance(
  settings: Settings,
  urls: Pick<InstanceFile, 'ingestUrl' | 'servingUrl'>,
): () => void {
  const path = dataPaths(settings).instance
  const { CLICKLEDGER_POSTGRES_URL, CLICKLEDGER_NAMESPACE } = settings
  const catalogue = { CLICKLEDGER_POSTGRES_URL, CLICKLEDGER_NAMESPACE }
  const file: InstanceFile = { pid: process.pid, ...urls, catalogue }
  rmSync(path, { force: true }) // one that was left behind keeps its mode
  writeFileSync(path, JSON.stringify(file), { mode: 0o600 })
  return () => rmSync(path, { force: true })
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The instance that runs on the data directory; undefined where none does. */
export async function findInstance(settings: Settings): Promise<InstanceFile | undefined> {
  let instance: InstanceFile
  try {
    instance = JSON.parse(await readFile(dataPaths(settings).instance, 'utf8'))
  } catch {
    return undefined
  }
  if (typeof instance?.pid !== 'number' || !URL.canParse(instance.servingUrl)) return undefined
  if (!isRunning(instance.pid)) return undefined
  // A process id may belong to another program by now; only an answer proves that it is ours.
  const signal = AbortSignal.timeout(liveTimeoutMs)
  const call = { method: 'GET', url: `${instance.servingUrl}/livez`, signal } as const
  const answer = await callOnce(call).catch(() => undefined)
  return answer?.status === 200 ? instance : undefined
}

/** What a command on the data directory may use besides the API. */
interface Local {
  readonly key: string
  readonly catalogue: Queryable
}

/** Runs work with an admin key that ends with the work, or an hour after a crash. */
export async function withLocal<T>(
  settings: Settings,
  work: (local: Local) => Promise<T>,
): Promise<T> {
  const catalogue = await openCatalogue(settings)
  const key = `clk_${randomBytes(24).toString('base64url')}`
  const endKey = (column: 'expires_at' | 'revoked_at', at: number) =>
    catalogue.query(`UPDATE api_keys SET ${column} = $1 WHERE key_hash = $2`, [at, hashApiKey(key)])
  try {
    const now = Date.now()
    const life = { expiresAt: now + keyLifeMs, name: 'command line' }
    await createApiKey(catalogue, now, { role: 'admin', key, ...life })
    const renewing = setInterval(() => {
      // Where it fails the key has most of its life left, and the next time may go well.
      endKey('expires_at', Date.now() + keyLifeMs).catch(() => {})
    }, keyRenewedEveryMs)
    try {
      return await work({ key, catalogue })
    } finally {
      clearInterval(renewing)
      await endKey('revoked_at', Date.now())
    }
  } finally {
    await catalogue.close()
  }
}

/** Asks serving how ingest is reached: the heartbeat of an ingest node says it. */
async function askIngestUrl(api: Api): Promise<string> {
  const status = (await api.get('/v1/status')) as { layers?: { ingest?: { url?: unknown }[] } }
  const url = status?.layers?.ingest?.[0]?.url
  if (typeof url === 'string' && URL.canParse(url)) return url
  throw new ClickledgerError(
    'unavailable',
    'No ingest node has reported where it is: give --ingest-url.',
  )
}

const archiveVia =
  (catalogue: Queryable): Session['archiveUntil'] =>
  (ends) =>
    requestArchive(catalogue, ends, Date.now())

/** Work on an instance that runs already. */
function sessionAt(
  { signal, ingestUrl }: SessionOptions,
  url: string,
  key: string,
  local?: Local,
): Session {
  const api = createApi(url, key, signal)
  return {
    ...{ api, key, signal, isPrivate: false },
    ingestUrl: async () => ingestUrl ?? (await askIngestUrl(api)),
    ...(local ? { archiveUntil: archiveVia(local.catalogue) } : {}),
  }
}

/**
 * Runs work against an instance: --url and --key, else the one on the data directory, else a private
 * one that is stopped afterwards.
 * @throws WrongUse for a URL without a key; whatever the work throws
 */
export async function withInstance<T>(
  options: SessionOptions,
  work: (session: Session) => Promise<T>,
  start: StartInstance = startPrivate,
): Promise<T> {
  const { settings } = options
  const url = options.url || settings.CLICKLEDGER_URL
  const givenKey = options.key || settings.CLICKLEDGER_KEY
  if (url) {
    if (!givenKey) throw new WrongUse('--url needs --key (or CLICKLEDGER_KEY)')
    if (!URL.canParse(url)) throw new WrongUse(`--url: ${url} is not a URL`)
    return work(sessionAt(options, url, givenKey))
  }
  const found = await findInstance(settings)
  if (found) {
    const here = { ...options, ingestUrl: options.ingestUrl ?? found.ingestUrl }
    return withLocal({ ...settings, ...found.catalogue }, (local) =>
      work(sessionAt(here, found.servingUrl, givenKey || local.key, local)),
    )
  }
  const instance = await start(privateSettings(settings))
  const here = { ...options, ingestUrl: instance.ingestUrl }
  try {
    return await withLocal(settings, (local) =>
      work({ ...sessionAt(here, instance.servingUrl, local.key, local), isPrivate: true }),
    )
  } finally {
    await instance.close()
  }
}

/** The settings of an instance that nobody else should find or wait for. */
function privateSettings(settings: Settings): Settings {
  return {
    ...settings,
    CLICKLEDGER_HOST: '127.0.0.1',
    CLICKLEDGER_INGEST_PORT: 0,
    CLICKLEDGER_SERVING_PORT: 0,
    CLICKLEDGER_LOG_LEVEL:
      settings.CLICKLEDGER_LOG_LEVEL === 'info' ? 'warn' : settings.CLICKLEDGER_LOG_LEVEL,
    CLICKLEDGER_SEAL_INTERVAL: Math.max(settings.CLICKLEDGER_SEAL_INTERVAL, privateSealIntervalMs),
  }
}
