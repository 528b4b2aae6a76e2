// Ingest: HTTP in, raw clicks out. Wiring only: settings and adapters become routes; what is opened
// here is closed in reverse order.
import type { AddressInfo } from 'node:net'
import { createKeyLookup } from '#platform/api-keys.ts'
import type { LayerContext, RunningLayer } from '#platform/layer.ts'
import { addProcessMetrics, createRegistry } from '#platform/metrics.ts'
import { loadSecrets } from '#platform/secrets.ts'
import { openCatalogue } from '#platform/stack.ts'
import { createAddressFacts } from './addresses.ts'
import { createAdDirectory, createPlacementDirectory } from './ads.ts'
import { createAgentParser } from './agents.ts'
import { createAnswers } from './answer.ts'
import { createBodyReader } from './body.ts'
import { createCounters, registerCounters, registerWal } from './counters.ts'
import { createFactStamper } from './facts.ts'
import { createIngestServer } from './from-http.ts'
import { openGeography } from './geo.ts'
import { startHeartbeat } from './heartbeat.ts'
import { closeServer, listen, monotonic } from './lifecycle.ts'
import { parseNetworks } from './network.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createClickRoutes } from './routes/click.ts'
import { createHealth } from './routes/health.ts'
import { createPlacements } from './routes/placements.ts'
import { createTrackEvents } from './routes/track-events.ts'
import { createClientAddresses } from './visit.ts'
import { openWal } from './wal/wal.ts'

/** Starts an ingest node. @throws ClickledgerError `invalid-settings`, `already-running` */
export async function runIngest({ settings, clock, logger }: LayerContext): Promise<RunningLayer> {
  const trusted = parseNetworks('CLICKLEDGER_TRUSTED_PROXIES', settings.CLICKLEDGER_TRUSTED_PROXIES)
  const blocked = parseNetworks('CLICKLEDGER_BLOCKED_IPS', settings.CLICKLEDGER_BLOCKED_IPS)
  const geography = openGeography(settings.CLICKLEDGER_GEO_DATABASE)
  const secrets = loadSecrets(settings)
  const now = monotonic(() => clock.now())
  const registry = createRegistry('ingest')
  addProcessMetrics(registry)
  const counters = createCounters()
  const onCommit = registerCounters(registry, counters)

  await using opening = new AsyncDisposableStack() // undoes a start that fails half-way
  const catalogue = opening.adopt(await openCatalogue(settings), (c) => c.close())
  const wal = opening.adopt(await openWal({ settings, clock, logger, onCommit }), (w) => w.close())
  registerWal(registry, wal)

  const onFault = (error: unknown) => logger.error({ err: error }, 'a request failed')
  let url = ''
  let isClosing = false
  const answers = createAnswers(counters, onFault)
  const ads = createAdDirectory(catalogue)
  const allow = createRateLimiter(settings.CLICKLEDGER_RATE_LIMIT)
  const stamp = createFactStamper({
    addressFacts: createAddressFacts({ geography, ipKey: secrets.ipKey, blocked }),
    agentOf: createAgentParser(),
    userKey: secrets.userKey,
    node: settings.CLICKLEDGER_NODE_ID,
  })
  const shared = { ads, stamp, append: wal.append, answers, counters, keys: secrets, now }
  const clicks = createClickRoutes(shared)
  const track = createTrackEvents({
    ...shared,
    allow,
    lookupKey: createKeyLookup(catalogue, now),
    readJson: createBodyReader(),
  })
  const health = createHealth({
    wal,
    walBytesMax: settings.CLICKLEDGER_WAL_BYTES_MAX,
    catalogue,
    registry,
    answers,
    isClosing: () => isClosing,
  })
  const server = createIngestServer({
    routes: {
      redirect: clicks.redirect,
      track: clicks.track,
      trackEvent: (visit) => track(visit, 'api'),
      importClicks: (visit) => track(visit, 'import'),
      placement: createPlacements({
        ...shared,
        placements: createPlacementDirectory(catalogue),
        publicUrl: () => settings.CLICKLEDGER_PUBLIC_INGEST_URL.replace(/\/+$/, '') || url,
      }),
      ...health,
    },
    answers,
    clientOf: createClientAddresses(trusted),
    allow,
    onFault,
  })
  await listen(server, settings.CLICKLEDGER_INGEST_PORT, settings.CLICKLEDGER_HOST)
  url = urlOf(server.address() as AddressInfo)
  const heartbeat = startHeartbeat({ wal, counters, url, now: () => clock.now() })
  logger.info({ url }, 'ingest listens')

  const opened = opening.move()
  const closed = Promise.withResolvers<void>()
  const close = async () => {
    if (isClosing) return closed.promise
    isClosing = true
    await closeServer(server)
    await wal.drain()
    heartbeat.stop() // the last report says what is left
    await opened.disposeAsync()
    closed.resolve()
  }
  return { url, done: Promise.race([closed.promise, wal.failed]), close }
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
