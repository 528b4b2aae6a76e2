// A serving app on a scratch catalogue and a naive store, with a clock that stands still and a key
// for every role.
import type { ExecutionContext } from 'ava'
import type { InjectOptions } from 'fastify'
import { createApiKey } from '#platform/api-keys.ts'
import { upsertAds } from '#platform/catalogue/ads.ts'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { openSqliteEventLog } from '#platform/event-log/sqlite.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { createLogger, type Logger } from '#platform/log.ts'
import { createRegistry } from '#platform/metrics.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { hourMs } from '#schemas/paths.ts'
import { topics } from '#schemas/topics.ts'
import { openTestCatalogue } from '../../tests/support/catalogue.ts'
import { scratchDir } from '../../tests/support/contract.ts'
import type { JwtOptions } from '../access/jwt.ts'
import { buildApp } from '../app.ts'
import type { BatchControl } from '../routes/admin-rebuilds.ts'
import type { ReceiptReader } from '../routes/clicks.ts'
import { createNaiveOlap } from './naive-olap.ts'

/** The boundary of the fixture; its clock shows 25 minutes later. */
export const boundary = Date.UTC(2026, 10, 22, 5)
export const startNow = boundary + 25 * 60_000

export type Keys = Record<'admin' | 'engineer' | 'advertiser' | 'other' | 'publisher', string>

export interface FixtureOptions {
  readonly control?: BatchControl
  readonly receipts?: ReceiptReader
  readonly queryTimeoutMs?: number
  /** What the app asks instead of the naive store. */
  readonly store?: Pick<OlapStore, 'query' | 'realtime' | 'health'> &
    Partial<Pick<OlapStore, 'sql'>>
  readonly jwt?: Omit<JwtOptions, 'now'>
  readonly logger?: Logger
  /** What the app sees instead of the catalogue itself. */
  wrapCatalogue?(catalogue: Catalogue): Catalogue
}

/** A store may be a proxy, which cannot be spread. */
const withSql = (store: NonNullable<FixtureOptions['store']>, other: Pick<OlapStore, 'sql'>) => ({
  query: (...args: Parameters<OlapStore['query']>) => store.query(...args),
  realtime: (...args: Parameters<OlapStore['realtime']>) => store.realtime(...args),
  health: () => store.health(),
  sql: (...args: Parameters<OlapStore['sql']>) => store.sql?.(...args) ?? other.sql(...args),
})

export async function openFixture(t: ExecutionContext, options: FixtureOptions = {}) {
  const catalogue = await openTestCatalogue(t)
  const time = { now: startNow }
  const clock = { now: () => time.now }
  await ensureDefaults(catalogue, boundary + 1)
  const rows = [
    { ad_id: 'ad-1', advertiser_id: 'adv-1', campaign_id: 'c-1', target_url: 'https://a.test/' },
    { ad_id: 'ad-2', advertiser_id: 'adv-2', target_url: 'https://b.test/' },
  ]
  await upsertAds(
    catalogue,
    startNow,
    rows.map((value, i) => ({ line: i + 1, value })),
  )
  await catalogue.query(
    'INSERT INTO publishers (publisher_id, name, created_at) VALUES ($1, $1, 0)',
    ['pub-1'],
  )
  const key = (role: 'admin' | 'engineer' | 'advertiser' | 'publisher', tenant = '') =>
    createApiKey(catalogue, startNow, {
      role,
      ...(role === 'advertiser' ? { advertiserIds: [tenant] } : {}),
      ...(role === 'publisher' ? { publisherIds: [tenant] } : {}),
    })
  const keys: Keys = {
    admin: await key('admin'),
    engineer: await key('engineer'),
    advertiser: await key('advertiser', 'adv-1'),
    other: await key('advertiser', 'adv-2'),
    publisher: await key('publisher', 'pub-1'),
  }
  const log = await openSqliteEventLog({ dir: scratchDir(t) })
  await log.ensureTopics(Object.values(topics), 2)
  const olap = createNaiveOlap()
  const { app, facts, routes, keyUse } = await buildApp({
    catalogue: options.wrapCatalogue?.(catalogue) ?? catalogue,
    olap: options.store ? withSql(options.store, olap) : olap,
    log: async () => log,
    clock,
    logger: options.logger ?? createLogger('serving', process.env.TEST_LOG_LEVEL ?? 'silent'),
    registry: createRegistry('serving'),
    queriesAtOnce: 8,
    queryTimeoutMs: options.queryTimeoutMs ?? 5_000,
    nodeSilenceMs: hourMs,
    ...(options.control ? { control: options.control } : {}),
    ...(options.receipts ? { receipts: options.receipts } : {}),
    jwt: options.jwt,
  })
  t.teardown(async () => {
    await app.close()
    await log.close()
  })

  const inject = (request: InjectOptions, as?: keyof Keys) =>
    app.inject({
      ...request,
      headers: { ...request.headers, ...(as ? { authorization: `Bearer ${keys[as]}` } : {}) },
    })
  /** Reports a speed layer that has judged all that came before `watermark`. */
  const beat = (watermark: number, judgedEnds: number[]) =>
    reportHeartbeat(catalogue, 'speed', 'node-1', watermark, {
      watermark,
      partitions: judgedEnds.map((end, partition) => ({ partition, committed: end, end })),
      judgedEnds,
      counts: { judged: 0, valid: 0, duplicate: 0, invalid: 0, copies: 3, deadLettered: 2 },
      stateKeys: 0,
      stateFullRotations: 0,
    })
  return { app, facts, routes, keyUse, catalogue, log, olap, keys, time, inject, beat }
}

export type Fixture = Awaited<ReturnType<typeof openFixture>>
