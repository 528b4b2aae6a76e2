// All of serving but its surroundings: given the stores, a server with every route. Tests use it
// without a network.
import { randomBytes } from 'node:crypto'
import type { Registry } from 'prom-client'
import { createKeyLookup } from '#platform/api-keys.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import type { Clock } from '#platform/clock.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { createKeyUse } from '#platform/key-use.ts'
import type { Logger } from '#platform/log.ts'
import { createConstantStore } from '#platform/olap/duckdb-constants.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import type { MetricName } from '#schemas/metrics.ts'
import { dayMs } from '#schemas/paths.ts'
import { type JwtOptions, withTokens } from './access/jwt.ts'
import { createAnswers } from './admission/answers.ts'
import { createQueryGate } from './admission/query-gate.ts'
import type { SharedAnswers } from './admission/shared-answers.ts'
import { protectRoutes } from './auth.ts'
import { createFactsReader } from './freshness.ts'
import { guardCatalogue } from './guarded-catalogue.ts'
import { createLiveHub } from './live-hub.ts'
import { createServingMetrics } from './metrics.ts'
import { createFinalMemory } from './reports/final-memory.ts'
import { addCatalogueRoutes } from './routes/admin-catalogue.ts'
import { addKeyRoutes } from './routes/admin-keys.ts'
import { addRebuildRoutes, type BatchControl } from './routes/admin-rebuilds.ts'
import { addRuleRoutes } from './routes/admin-rules.ts'
import { addAdRoutes } from './routes/ads.ts'
import { addBulkRoute } from './routes/ads-bulk.ts'
import { addAuditRoute } from './routes/audit.ts'
import { addBackfillRoutes } from './routes/backfills.ts'
import { addBoundaryRoute } from './routes/boundary.ts'
import { addResourceRoutes } from './routes/catalogue.ts'
import { addClickRoute, type ReceiptReader } from './routes/clicks.ts'
import { addDashboard } from './routes/dashboard.ts'
import { addDeadLetterRoutes } from './routes/dead-letters.ts'
import { addFreshnessRoute } from './routes/freshness.ts'
import { addLiveRoute } from './routes/live.ts'
import { addMeRoute } from './routes/me.ts'
import { addReconciliationRoute } from './routes/reconciliation.ts'
import { addReportRoutes } from './routes/reports.ts'
import { addRestatementRoute } from './routes/restatements.ts'
import { addStatusRoute } from './routes/status.ts'
import { addSystemRoutes, createReadiness } from './routes/system.ts'
import { buildServer } from './server.ts'
import { addSqlRoute } from './sql/route.ts'

/** A longer queue would only make every answer old. */
const waitingPerQuery = 16
/** Rows that are kept: some 100 MB at most. */
export const keptAnswers = { cellsMax: 1_000_000, ttlMs: 300_000 } as const
const live = { everyMs: 1_000, clientsMax: 1_000, questionsMax: 200 } as const

export interface ServingDeps {
  readonly catalogue: Catalogue
  readonly olap: Pick<OlapStore, 'query' | 'sql' | 'realtime' | 'health'>
  /** Opens the event log once, and gives the same one again. */
  readonly log: () => Promise<EventLog>
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  /** What /metrics shows; absent: the registry. */
  readonly exposition?: () => Promise<string>
  readonly control?: BatchControl
  /** Looks clicks up; absent: receipts answer 503. */
  readonly receipts?: ReceiptReader
  /** Metrics that the store estimates; none where it counts exactly. */
  readonly approximate?: readonly MetricName[]
  readonly queryTimeoutMs: number
  /** Absent: as the setting's default. */
  readonly speedRetentionMs?: number
  /** Seals cursors, the same on all nodes. Absent: made up, so cursors end with the process. */
  readonly cursorKey?: Uint8Array
  readonly queriesAtOnce: number
  /** Absent: answers are kept in this process only. */
  readonly sharedAnswers?: SharedAnswers
  readonly nodeSilenceMs: number
  /** Tokens that are taken beside API keys; absent: none. */
  readonly jwt?: Omit<JwtOptions, 'now'> | undefined
}

/** Builds the server. It isn't listening yet; `app.close()` ends live streams and pollers. */
export async function buildApp(deps: ServingDeps) {
  const { olap, clock, registry, control, approximate = [], queriesAtOnce } = deps
  const catalogue = guardCatalogue(deps.catalogue)
  const now = () => clock.now()
  const keyUse = createKeyUse(catalogue, now)
  const apiKeys = createKeyLookup(catalogue, now, { onUse: keyUse.note })
  const lookup = withTokens(apiKeys, deps.jwt && { ...deps.jwt, now })
  const facts = createFactsReader({ catalogue, olap, clock, nodeSilenceMs: deps.nodeSilenceMs })
  const metrics = createServingMetrics(registry, {
    facts: () => facts.read(),
    health: () => olap.health(),
    liveClients: () => hub.clients(),
    queries: () => gate.load(),
    now,
    nodeSilenceMs: deps.nodeSilenceMs,
  })
  const gate = createQueryGate(olap, {
    metrics,
    concurrentMax: queriesAtOnce,
    tenantMax: Math.ceil(queriesAtOnce / 2),
    waitingMax: queriesAtOnce * waitingPerQuery,
    timeoutMs: deps.queryTimeoutMs,
  })
  const { speedRetentionMs = 7 * dayMs, cursorKey = randomBytes(32) } = deps
  const answers = createAnswers({
    ...keptAnswers,
    ...(deps.sharedAnswers ? { shared: deps.sharedAnswers } : {}),
    onAnswer: (from) => metrics.answers.inc({ from }),
  })
  const memory = createFinalMemory(catalogue, now)
  const shared = {
    ...{ catalogue, gate, answers, memory, facts, approximate, now, cursorKey, speedRetentionMs },
  }
  const constants = createConstantStore()
  const hub = createLiveHub({ ...shared, clock }, live)
  const app = await buildServer({ logger: deps.logger, metrics })
  const routes = protectRoutes(app, lookup)
  addMeRoute(app)
  addReportRoutes(app, shared)
  addAdRoutes(app, shared)
  addClickRoute(app, { receipts: deps.receipts })
  addFreshnessRoute(app, shared)
  addLiveRoute(app, { hub, lookup })
  addSqlRoute(app, { ...shared, olap, constants, queryTimeoutMs: deps.queryTimeoutMs })
  app.addHook('onClose', () => constants.close())
  addStatusRoute(app, { ...shared, olap })
  addRebuildRoutes(app, { catalogue, control, now })
  addBackfillRoutes(app, shared)
  addRestatementRoute(app, shared)
  addBoundaryRoute(app, shared)
  addReconciliationRoute(app, { catalogue })
  addDeadLetterRoutes(app, { ...shared, log: deps.log })
  addKeyRoutes(app, { ...shared, forgetKeys: apiKeys.forget })
  addRuleRoutes(app, shared)
  addCatalogueRoutes(app, shared)
  addResourceRoutes(app, shared)
  await addBulkRoute(app, shared)
  addAuditRoute(app, shared)
  const readiness = createReadiness(catalogue, facts)
  const exposition = deps.exposition ?? (() => registry.metrics())
  addSystemRoutes(app, { readiness, exposition })
  await addDashboard(app)
  app.addHook('onClose', async () => {
    hub.close()
    await keyUse.close()
  })
  return { app, facts, readiness, metrics, routes, keyUse }
}
