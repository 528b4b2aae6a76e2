// One way for every command to reach an instance: the one at --url, the one that runs on the data
// directory, or a private one started for this command alone. All work goes through the API of either;
// nothing here writes to a store but the short-lived key in the catalogue.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createApiKey, hashApiKey } from '#platform/api-keys.ts'
import type { Settings } from '#platform/config.ts'
import { dataPaths, openCatalogue } from '#platform/stack.ts'
import { ClickledgerError } from '#schemas/errors.ts'
import { type Api, callOnce, createApi } from './api.ts'
import { WrongUse } from './exit.ts'

const keyLifeMs = 3_600_000
const liveTimeoutMs = 3_000
/** A private instance archives at once, not when its interval is over: the command waits for it. */
const privateArchiveIntervalMs = 1_000

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

interface InstanceFile {
  readonly pid: number
  readonly ingestUrl: string
  readonly servingUrl: string
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

/** Runs work with an admin key that lives as long as the work, and an hour at most. */
export async function withKey<T>(
  settings: Settings,
  work: (key: string) => Promise<T>,
): Promise<T> {
  const catalogue = await openCatalogue(settings)
  try {
    const key = `clk_${randomBytes(24).toString('base64url')}`
    const now = Date.now()
    const life = { expiresAt: now + keyLifeMs, name: 'command line' }
    await createApiKey(catalogue, now, { role: 'admin', key, ...life })
    try {
      return await work(key)
    } finally {
      await catalogue.query('UPDATE api_keys SET revoked_at = $1 WHERE key_hash = $2', [
        Date.now(),
        hashApiKey(key),
      ])
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

async function onUrl<T>(
  options: SessionOptions & { url: string; key: string },
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { url, key, signal, ingestUrl } = options
  if (!URL.canParse(url)) throw new WrongUse(`--url: ${url} is not a URL`)
  const api = createApi(url, key, signal)
  const ingest = async () => ingestUrl ?? (await askIngestUrl(api))
  return work({ api, key, signal, isPrivate: false, ingestUrl: ingest })
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
  const { settings, signal } = options
  const url = options.url || settings.CLICKLEDGER_URL
  const givenKey = options.key || settings.CLICKLEDGER_KEY
  if (url) {
    if (!givenKey) throw new WrongUse('--url needs --key (or CLICKLEDGER_KEY)')
    return onUrl({ ...options, url, key: givenKey }, work)
  }
  const found = await findInstance(settings)
  if (found) {
    const ingestUrl = options.ingestUrl ?? found.ingestUrl
    const run = (key: string) => onUrl({ ...options, url: found.servingUrl, key, ingestUrl }, work)
    return givenKey ? run(givenKey) : withKey(settings, run)
  }
  const instance = await start(privateSettings(settings))
  try {
    return await withKey(settings, (key) => {
      const api = createApi(instance.servingUrl, key, signal)
      return work({ api, key, signal, isPrivate: true, ingestUrl: async () => instance.ingestUrl })
    })
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
    CLICKLEDGER_ARCHIVE_INTERVAL: Math.min(
      settings.CLICKLEDGER_ARCHIVE_INTERVAL,
      privateArchiveIntervalMs,
    ),
  }
}
