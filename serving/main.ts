// Serving: one answer from two views. Wiring only.
import type { AddressInfo } from 'node:net'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import type { LayerContext, Monitored, RunningLayer } from '#platform/layer.ts'
import { createLease } from '#platform/lease.ts'
import type { Logger } from '#platform/log.ts'
import { addProcessMetrics, createRegistry } from '#platform/metrics.ts'
import { collectMetrics } from '#platform/metrics-server.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { loadSecrets } from '#platform/secrets.ts'
import {
  approximateMetrics,
  openCatalogue,
  openEventLog,
  openSharedCache,
} from '#platform/stack.ts'
import { pause } from '#platform/wait.ts'
import { createJwks } from './access/jwks.ts'
import type { JwtOptions } from './access/jwt.ts'
import { createSharedAnswers } from './admission/shared-answers.ts'
import { buildApp, keptAnswers } from './app.ts'
import { guardCatalogue } from './guarded-catalogue.ts'
import { createReceiptReader } from './receipt-reader.ts'
import type { BatchControl } from './routes/admin-rebuilds.ts'
import { startWebhook } from './webhook/webhook.ts'

export type { BatchControl, RebuildOrder } from './routes/admin-rebuilds.ts'

/** Twice as often as layers report, so that the watermark sees every report. */
const followEveryMs = 500

export interface ServingStores {
  /** Stays the caller's: not closed here. */
  readonly olap: OlapStore
  /** Absent: rebuilds answer 503. */
  readonly control?: BatchControl
  /** Layers in the same process: /metrics shows theirs too. */
  readonly beside?: () => readonly Monitored[]
}

function urlOf(host: string, address: AddressInfo | string | null): string {
  const port = typeof address === 'object' && address ? address.port : 0
  const anywhere = host === '0.0.0.0' || host === '::'
  const name = anywhere ? '127.0.0.1' : host.includes(':') ? `[${host}]` : host
  return `http://${name}:${port}`
}

/** Posts restatements where the settings name a receiver. */
function postRestatements({ settings, clock, logger }: LayerContext, catalogue: Catalogue) {
  const { CLICKLEDGER_WEBHOOK_URL: url, CLICKLEDGER_WEBHOOK_SECRET: secret } = settings
  if (url === '') return undefined
  const lease = createLease({
    ...{ catalogue, name: 'webhook', holder: settings.CLICKLEDGER_NODE_ID },
    onError: (error) => logger.warn({ err: error }, 'the lease was not renewed'),
  })
  const running = startWebhook({
    ...{ catalogue, url, secret, lease, now: clock.now },
    onOutcome: (outcome) => {
      if ('error' in outcome) logger.warn({ err: outcome.error }, 'restatements were not taken')
      else logger.info(outcome, 'restatements delivered')
    },
  })
  return {
    async close() {
      await running.close()
      await lease.release()
    },
  }
}

/** Opens at the first call. A failure is not kept: the next call tries again. */
function openedOnce<T>(open: () => Promise<T>) {
  let opening: Promise<T> | undefined
  return {
    open(): Promise<T> {
      opening ??= open().catch((error: unknown) => {
        opening = undefined
        throw error
      })
      return opening
    },
    /** What is open; undefined: nothing was asked for, or it failed. */
    opened: async (): Promise<T | undefined> => opening?.catch(() => undefined),
  }
}

/** Answers of other serving processes, where the settings name a cache for them. */
async function openSharedAnswers(settings: Settings, logger: Logger) {
  if (settings.CLICKLEDGER_REDIS_URL === '') return undefined
  const cache = await openSharedCache(settings, (isUp, reason) => {
    if (isUp) logger.info('the shared cache answers')
    else logger.warn({ reason }, 'no shared cache: every process keeps its own answers')
  })
  const { cacheKey: sealKey } = loadSecrets(settings)
  const answers = createSharedAnswers({ cache, sealKey, ttlMs: keptAnswers.ttlMs })
  return { answers, close: () => cache.close() }
}

/** What the settings say about tokens; undefined: none are taken. */
function jwtOptions(settings: Settings): Omit<JwtOptions, 'now'> | undefined {
  const url = settings.CLICKLEDGER_JWT_JWKS_URL
  if (url === '') return undefined
  return {
    keys: createJwks({ url }),
    issuer: settings.CLICKLEDGER_JWT_ISSUER,
    audience: settings.CLICKLEDGER_JWT_AUDIENCE,
    clockSkewMs: settings.CLICKLEDGER_JWT_CLOCK_SKEW,
  }
}

/** Starts serving; resolves when it listens. */
export async function runServing(
  { settings, clock, logger }: LayerContext,
  stores: ServingStores,
): Promise<RunningLayer> {
  const stopping = new AbortController()
  await using resources = new AsyncDisposableStack()
  const catalogue = await openCatalogue(settings)
  resources.defer(() => catalogue.close())
  await ensureDefaults(catalogue, clock.now())
  const log = openedOnce(() => openEventLog(settings, () => clock.now()))
  resources.defer(async () => (await log.opened())?.close())
  const shared = await openSharedAnswers(settings, logger)
  resources.defer(() => shared?.close())
  const registry = createRegistry('serving')
  const own: Monitored = { metrics: () => registry.metrics(), readiness: () => readiness() }
  const exposition = () => collectMetrics([own, ...(stores.beside?.() ?? [])])
  addProcessMetrics(registry, settings.CLICKLEDGER_DATA_DIR)
  const receipts = createReceiptReader({
    ...{ settings, log: log.open, catalogue: guardCatalogue(catalogue) },
  })
  const { app, facts, readiness, metrics } = await buildApp({
    ...stores,
    approximate: approximateMetrics(settings),
    receipts,
    catalogue,
    log: log.open,
    clock,
    logger,
    registry,
    exposition,
    queriesAtOnce: settings.CLICKLEDGER_QUERIES_AT_ONCE,
    ...(shared ? { sharedAnswers: shared.answers } : {}),
    queryTimeoutMs: settings.CLICKLEDGER_QUERY_TIMEOUT,
    speedRetentionMs: settings.CLICKLEDGER_SPEED_RETENTION,
    cursorKey: loadSecrets(settings).cursorKey,
    nodeSilenceMs: settings.CLICKLEDGER_NODE_SILENCE,
    jwt: jwtOptions(settings),
  })
  resources.defer(() => app.close())
  await app.listen({ host: settings.CLICKLEDGER_HOST, port: settings.CLICKLEDGER_SERVING_PORT })
  const url = urlOf(settings.CLICKLEDGER_HOST, app.server.address())

  const beat = async () => {
    const node = settings.CLICKLEDGER_NODE_ID
    await reportHeartbeat(catalogue, 'serving', node, clock.now(), { url })
    const { at, watermark } = await facts.read()
    if (watermark) metrics.freshnessSampled.observe((at - watermark) / 1000)
  }
  const follow = async () => {
    while (!stopping.signal.aborted) {
      await beat().catch((error: unknown) => logger.warn({ err: error }, 'heartbeat failed'))
      await pause(followEveryMs, stopping.signal)
    }
  }
  const following = follow()
  resources.defer(async () => {
    stopping.abort()
    await following
  })

  const webhook = postRestatements({ settings, clock, logger }, catalogue)
  if (webhook) resources.defer(() => webhook.close())

  const owned = resources.move()
  const ended = Promise.withResolvers<void>()
  let closing: Promise<void> | undefined
  return {
    url,
    done: ended.promise,
    metrics: exposition,
    readiness,
    close() {
      closing ??= owned.disposeAsync().finally(() => ended.resolve())
      return closing
    },
  }
}
