// Serving over a store that a benchmark has filled, and judged clicks that go on coming meanwhile.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createApiKey } from '#platform/api-keys.ts'
import { publishBoundary } from '#platform/boundaries.ts'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import { createClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { createLogger } from '#platform/log.ts'
import { createRegistry } from '#platform/metrics.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { pause } from '#platform/wait.ts'
import type { JudgedClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { buildApp } from '../../serving/app.ts'
import { blankClick } from '../../tests/support/blank-clicks.ts'

export interface BenchServing {
  readonly url: string
  readonly key: string
  close(): Promise<void>
}

/** Serving on a free port, with a catalogue of its own that names the boundary. */
export async function startServing(
  olap: OlapStore,
  logSettings: Settings,
  boundary: number,
): Promise<BenchServing> {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-bench-serving-'))
  const clock = createClock()
  const catalogue = await openCatalogue(readSettings({ CLICKLEDGER_DATA_DIR: dir }))
  await publishBoundary(catalogue, 0, {
    ...{ boundary, publishedAt: clock.now(), publishedBy: 'bench', reason: 'bench' },
  })
  await ensureDefaults(catalogue, clock.now())
  const key = await createApiKey(catalogue, clock.now(), { role: 'admin' })
  const { app } = await buildApp({
    ...{ catalogue, olap, clock },
    log: () => openEventLog(logSettings, clock.now),
    logger: createLogger('serving', 'silent'),
    registry: createRegistry('serving'),
    ...{ queryTimeoutMs: 60_000, queriesAtOnce: 8, nodeSilenceMs: 3_600_000 },
  })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  return {
    ...{ url, key },
    async close() {
      await app.close()
      await catalogue.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const tickMs = 50

/** Appends judged clicks of now to the log, at a steady rate, until closed. @returns how to end it */
export function feedClicks(log: EventLog, ratePerSecond: number): () => Promise<number> {
  const stopping = new AbortController()
  let sent = 0
  const feed = async () => {
    const begun = performance.now()
    while (!stopping.signal.aborted) {
      const due = Math.floor(((performance.now() - begun) * ratePerSecond) / 1000) - sent
      const records = Array.from({ length: Math.min(due, 5_000) }, (_, i) => {
        const at = Date.now()
        const click: JudgedClick = {
          ...{
            ...blankClick,
            event_id: randomUUID(),
            event_time: at,
            judged_time: at,
            status: 'valid',
          },
          ...{ advertiser_id: `adv-${i % 20}`, ad_id: `ad-${i % 50}`, country: 'US' },
          visitor: `v-${sent + i}`,
        }
        return { key: click.event_id, timestamp: at, value: Buffer.from(JSON.stringify(click)) }
      })
      if (records.length > 0) await log.append(topics.judged.name, records)
      sent += records.length
      await pause(tickMs, stopping.signal)
    }
  }
  const feeding = feed()
  return async () => {
    stopping.abort()
    await feeding
    return sent
  }
}
