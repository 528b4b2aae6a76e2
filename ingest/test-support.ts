// A whole ingest node in a test: random directory, free port, a few ads, and what it put in the log.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { createApiKey, type NewApiKey } from '#platform/api-keys.ts'
import { upsertAds } from '#platform/catalogue/ads.ts'
import { createClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import { createLogger } from '#platform/log.ts'
import { loadSecrets } from '#platform/secrets.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { decodeRawClick } from '#schemas/avro.ts'
import type { RawClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { catalogueEnv } from '../tests/support/catalogue.ts'
import { runIngest } from './main.ts'

export const browser =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36'

export const target = 'https://shop.example/?c={click_id}&i={impression_id}'

async function fillCatalogue(settings: Settings): Promise<void> {
  const catalogue = await openCatalogue(settings)
  const ad = (ad_id: string, advertiser_id: string) => ({
    ad_id,
    advertiser_id,
    target_url: target,
  })
  const rows = [{ ...ad('ad-1', 'adv-1'), campaign_id: 'camp-1' }, ad('ad-2', 'adv-2')]
  await upsertAds(
    catalogue,
    1,
    rows.map((value, line) => ({ line, value })),
  )
  await catalogue.query("UPDATE advertisers SET signed_only = 1 WHERE advertiser_id = 'adv-2'")
  await catalogue.query(
    // Not through upsertAds, which refuses it: what if it is there all the same?
    `INSERT INTO ads (ad_id, advertiser_id, target_url, created_at, updated_at)
     VALUES ('ad-bad', 'adv-1', 'javascript:alert(1)', 1, 1)`,
  )
  await catalogue.query(
    "INSERT INTO publishers (publisher_id, name, created_at) VALUES ('pub-1', 'P', 1)",
  )
  await catalogue.query(
    `INSERT INTO placements (slot, publisher_id, ad_ids, created_at) VALUES ('top', 'pub-1', '["ad-1"]', 1)`,
  )
  await catalogue.close()
}

/** The body of an answer, whatever it is. */
export async function jsonOf(answer: Response): Promise<Record<string, unknown>> {
  return JSON.parse(await answer.text())
}

/** Settings of a new installation in a directory that goes away with the test. */
export async function newSettings(t: ExecutionContext, env: Record<string, string> = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'clickledger-ingest-'))
  t.teardown(() => rm(dir, { recursive: true, force: true }))
  const settings = readSettings({
    CLICKLEDGER_DATA_DIR: dir,
    CLICKLEDGER_INGEST_PORT: '0',
    CLICKLEDGER_LOG_LEVEL: 'silent',
    ...catalogueEnv(),
    ...env,
  })
  await fillCatalogue(settings)
  return settings
}

/** Starts a node. */
export async function startIngest(t: ExecutionContext, settings: Settings) {
  const logger = createLogger('ingest', settings.CLICKLEDGER_LOG_LEVEL)
  const layer = await runIngest({ settings, clock: createClock(), logger })
  let isClosed = false
  const close = async () => {
    if (isClosed) return
    isClosed = true
    await layer.close()
  }
  t.teardown(close)
  const url = layer.url ?? ''
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(url + path, {
      method,
      redirect: 'manual',
      headers: { 'user-agent': browser, 'x-forwarded-for': '81.2.69.160', ...headers },
    })
  const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: {
        'user-agent': browser,
        'x-forwarded-for': '81.2.69.160',
        'content-type': 'application/json',
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
  return { url, get, post, close, keys: loadSecrets(settings), settings }
}

export async function makeKey(settings: Settings, key: NewApiKey): Promise<string> {
  const catalogue = await openCatalogue(settings)
  const made = await createApiKey(catalogue, Date.now(), key)
  await catalogue.close()
  return `Bearer ${made}`
}

/** What is in the event log, once there are `count` records of it. */
export async function clicksInLog(settings: Settings, count: number): Promise<RawClick[]> {
  const log = await openEventLog(settings, Date.now)
  try {
    const name = topics.raw.name
    await until(async () => (await log.endOffsets(name)).reduce((a, b) => a + b, 0) >= count, {
      what: `${count} clicks in the log`,
    })
    const clicks: RawClick[] = []
    for (const [partition, end] of (await log.endOffsets(name)).entries()) {
      const reader = await log.reader(name, partition, 0)
      while (reader.position < end) {
        for (const { value } of await reader.read(1000, 0)) {
          const decoded = decodeRawClick(value)
          if (decoded.kind === 'reject') throw new Error(decoded.reason)
          clicks.push(decoded.click)
        }
      }
      await reader.close()
    }
    return clicks
  } finally {
    await log.close()
  }
}
