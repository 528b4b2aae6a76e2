// Settings and adapters become the routes of an ingest node, and its HTTP server.
import type { Server } from 'node:http'
import type { Registry } from 'prom-client'
import { createKeyLookup } from '#platform/api-keys.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Settings } from '#platform/config.ts'
import type { Readiness } from '#platform/layer.ts'
import type { Logger } from '#platform/log.ts'
import { loadSecrets, type Secrets } from '#platform/secrets.ts'
import { createTracer } from '#platform/tracing.ts'
import { createAddressFacts } from './addresses.ts'
import { createAdDirectory, createPlacementDirectory } from './ads.ts'
import { createAgentParser } from './agents.ts'
import { createAnswers } from './answer.ts'
import { createBodyReader } from './body.ts'
import type { Counters } from './counters.ts'
import { createFactStamper, type StampFacts } from './facts.ts'
import { createIngestServer } from './from-http.ts'
import { openGeography } from './geo.ts'
import { parseNetworks } from './network.ts'
import { createRateLimiter } from './rate-limit.ts'
import { createClickRoutes } from './routes/click.ts'
import { createHealth } from './routes/health.ts'
import { createPlacements } from './routes/placements.ts'
import { createTrackEvents } from './routes/track-events.ts'
import type { ShareRows } from './shared-rows.ts'
import { createClientAddresses } from './visit.ts'
import type { Wal } from './wal/wal.ts'

export interface AppOptions {
  readonly settings: Settings
  readonly catalogue: Catalogue
  readonly wal: Wal
  readonly registry: Registry
  readonly counters: Counters
  readonly share: ShareRows
  /** Milliseconds; never goes back. */
  now(): number
  /** Where the server listens, once it does. */
  url(): string
  isClosing(): boolean
  readonly logger: Logger
  /** Told the hash of each key that was let in. */
  onKeyUse(hash: string): void
  onFault(error: unknown): void
}

export interface App {
  readonly server: Server
  readiness(): Promise<Readiness>
}

/** @throws ClickledgerError `invalid-settings` */
export function createApp(options: AppOptions): App {
  const { settings, catalogue, wal, counters, now, onFault } = options
  const keys = loadSecrets(settings)
  const answers = createAnswers(counters, onFault)
  const ads = createAdDirectory(catalogue, options.share)
  const allow = createRateLimiter(settings.CLICKLEDGER_RATE_LIMIT)
  const stamp = createStamper(settings, keys)
  const tracer = createTracer(settings, options.logger, now)
  const shared = { ads, stamp, append: wal.append, answers, counters, keys, now, tracer }
  const track = createTrackEvents({
    ...shared,
    allow,
    lookupKey: createKeyLookup(catalogue, now, { onUse: options.onKeyUse }),
    readJson: createBodyReader(),
  })
  const trusted = settings.CLICKLEDGER_TRUSTED_PROXIES
  const walBytesMax = settings.CLICKLEDGER_WAL_BYTES_MAX
  const { readiness, ...health } = createHealth({ ...options, answers, walBytesMax })
  const server = createIngestServer({
    routes: {
      ...createClickRoutes(shared),
      trackEvent: (visit) => track(visit, 'api'),
      importClicks: (visit) => track(visit, 'import'),
      placement: createPlacements({
        ...shared,
        placements: createPlacementDirectory(catalogue, options.share),
        publicUrl: () =>
          settings.CLICKLEDGER_PUBLIC_INGEST_URL.replace(/\/+$/, '') || options.url(),
      }),
      ...health,
    },
    answers,
    clientOf: createClientAddresses(parseNetworks('CLICKLEDGER_TRUSTED_PROXIES', trusted)),
    allow,
    onFault,
  })
  return { server, readiness }
}

function createStamper(settings: Settings, { ipKey, userKey }: Secrets): StampFacts {
  const blocked = parseNetworks('CLICKLEDGER_BLOCKED_IPS', settings.CLICKLEDGER_BLOCKED_IPS)
  const geography = openGeography(settings.CLICKLEDGER_GEO_DATABASE)
  return createFactStamper({
    addressFacts: createAddressFacts({ geography, ipKey, blocked }),
    agentOf: createAgentParser(),
    userKey,
    node: settings.CLICKLEDGER_NODE_ID,
  })
}
