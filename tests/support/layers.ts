// All layers behind ingest, in this process, on a data directory and a clock of the test's own.

import { partitionKey } from '#core/identity.ts'
import { reaches } from '#core/offsets.ts'
import { readBoundary } from '#platform/boundaries.ts'
import { ensureDefaults } from '#platform/catalogue/defaults.ts'
import type { Catalogue } from '#platform/catalogue/port.ts'
import { createClock, type SharedClock } from '#platform/clock.ts'
import { readSettings, type Settings } from '#platform/config.ts'
import type { EventLog } from '#platform/event-log/port.ts'
import { createLogger } from '#platform/log.ts'
import type { ObjectStore } from '#platform/object-store/port.ts'
import type { OlapStore } from '#platform/olap/port.ts'
import { openCatalogue, openEventLog, openObjectStore, openOlapStore } from '#platform/stack.ts'
import { until } from '#platform/wait.ts'
import { encodeRawClick } from '#schemas/avro.ts'
import type { JudgedClick, RawClick } from '#schemas/fields.ts'
import { topics } from '#schemas/topics.ts'
import { runArchive } from '../../batch-layer/archive/main.ts'
import { type RunningRebuild, runRebuild } from '../../batch-layer/rebuild/main.ts'
import { runSpeedLayer } from '../../speed-layer/main.ts'

export interface Layers {
  readonly settings: Settings
  readonly clock: SharedClock
  readonly catalogue: Catalogue
  readonly log: EventLog
  readonly objects: ObjectStore
  readonly olap: OlapStore
  readonly rebuild: RunningRebuild
  /** Appends clicks to clicks.raw, as ingest's sender would. */
  append(clicks: readonly RawClick[]): Promise<void>
  /** Waits until everything in the log is judged and visible. */
  judged(): Promise<void>
  /** Everything on clicks.judged. */
  readJudged(): Promise<JudgedClick[]>
  /** Waits until the boundary is at `boundary` or later. */
  sealed(boundary: number): Promise<void>
  close(): Promise<void>
}

/** Starts speed layer, archive, rebuild and OLAP store. @param startsAt - what the clock shows first */
export async function startLayers(
  env: Readonly<Record<string, string>>,
  startsAt: number,
): Promise<Layers> {
  const settings = readSettings({
    CLICKLEDGER_SEAL_INTERVAL: 'PT0.1S',
    CLICKLEDGER_GUARD_PERCENT: '100', // random clicks differ much between speed and batch
    ...env,
  })
  const clock = createClock(startsAt - Date.now())
  const logger = createLogger('test', process.env.LOG_LEVEL ?? 'silent')
  const context = { settings, clock, logger }
  const catalogue = await openCatalogue(settings)
  await ensureDefaults(catalogue, clock.now())
  const log = await openEventLog(settings, clock.now)
  const objects = await openObjectStore(settings)
  const olap = await openOlapStore({
    settings,
    clock,
    onFailure: (error) => {
      throw error
    },
  })
  const speed = await runSpeedLayer(context)
  const archive = await runArchive(context)
  const rebuild = await runRebuild(context, { olap })

  const committedAll = async () => {
    const ends = await log.endOffsets(topics.raw.name)
    const committed = await log.committedOffsets('speed-layer', topics.raw.name)
    return reaches(committed, ends)
  }
  const appliedAll = async () => {
    const ends = await log.endOffsets(topics.judged.name)
    const { applied } = await olap.realtime()
    return reaches(applied, ends)
  }

  return {
    ...{ settings, clock, catalogue, log, objects, olap, rebuild },
    append: (clicks) =>
      log.append(
        topics.raw.name,
        clicks.map((click) => ({
          key: partitionKey(click.ad_id, click.ip_hash),
          value: encodeRawClick(click),
          timestamp: click.received_time,
        })),
      ),
    async judged() {
      await until(committedAll, { what: 'the speed layer has judged everything' })
      await until(appliedAll, { what: 'the speed view has everything' })
    },
    async readJudged() {
      const all: JudgedClick[] = []
      for (const [partition, end] of (await log.endOffsets(topics.judged.name)).entries()) {
        const reader = await log.reader(topics.judged.name, partition, 0)
        while (reader.position < end) {
          for (const { value } of await reader.read(5_000, 1_000)) {
            all.push(JSON.parse(Buffer.from(value).toString()))
          }
        }
        await reader.close()
      }
      return all
    },
    async sealed(boundary) {
      await until(async () => ((await readBoundary(catalogue))?.boundary ?? 0) >= boundary, {
        what: `the boundary reaches ${new Date(boundary).toISOString()}`,
      })
    },
    async close() {
      await rebuild.close()
      await archive.close()
      await speed.close()
      await olap.close()
      await Promise.all([log.close(), catalogue.close(), objects.close()])
    },
  }
}
