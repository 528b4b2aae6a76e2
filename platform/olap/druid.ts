// The OLAP store on Apache Druid: the speed view is fed by Druid's own Kafka supervisor, the batch
// view by tasks that replace hours and days, and a query is one native query over what it needs. Several
// processes can open it at once: everything that must hold is in Druid, nothing in here.
import { join } from 'node:path'
import { narrowToPage } from '#core/report-order.ts'
import { sumMetrics } from '#schemas/metrics.ts'
import { topics } from '#schemas/topics.ts'
import type { Settings } from '../config.ts'
import type { EventLog } from '../event-log/port.ts'
import type { ObjectStore } from '../object-store/port.ts'
import { type Brokers, createBrokers } from './druid-brokers.ts'
import {
  bySegment,
  isBySegment,
  mergeSegments,
  type SegmentRows,
  segmentsRead,
} from './druid-by-segment.ts'
import { type Compaction, createCompaction } from './druid-compaction.ts'
import { createDruidClient, type DruidClient, storeError } from './druid-http.ts'
import { createLoads } from './druid-loads.ts'
import { compileDruidQuery, type NativeRow, toReportRow } from './druid-query.ts'
import { timestampSql, viewRanges } from './druid-ranges.ts'
import { createRealtime, type SupervisorStatus } from './druid-realtime.ts'
import { createSpeedRetention, markUnused, type SpeedRetention } from './druid-retention.ts'
import { type SegmentWatch, watchSegments } from './druid-segments.ts'
import { setUpDruid, submitSupervisor } from './druid-setup.ts'
import { createShown } from './druid-shown.ts'
import { type DruidNames, druidNames, grainViews } from './druid-specs.ts'
import { createStatements } from './druid-sql.ts'
import { createTasks } from './druid-tasks.ts'
import type { HourTotals, OlapHealth, OlapStore } from './port.ts'

export interface DruidStoreOptions {
  readonly settings: Settings
  readonly log: EventLog
  readonly objects: ObjectStore
}

/**
 * Opens the store: makes its datasources and the supervisor where they are missing or differ.
 * @throws ClickledgerError `invalid-settings` or `unavailable`, naming the setting and the fix
 */
export async function openDruidStore({
  settings,
  log,
  objects,
}: DruidStoreOptions): Promise<OlapStore> {
  const client = createDruidClient(settings)
  const names = druidNames(settings)
  const stopping = new AbortController()
  const tasks = createTasks(client, stopping.signal)
  try {
    await setUpDruid({ client, names, tasks, settings })
    const topic = topics.judged.name
    const brokers = createBrokers(client)
    const segments = watchSegments(client, names, brokers)
    const realtime = createRealtime({
      ...{ client, names, brokers: brokers.all },
      partitions: (await log.endOffsets(topic)).length,
      isListed: () => segments.isListed('speed'),
      endOffsets: () => log.endOffsets(topic),
      reader: (partition, from) => log.reader(topic, partition, from),
      restart: () => submitSupervisor({ client, settings }),
    })
    const scratch = join(settings.CLICKLEDGER_DATA_DIR, 'scratch', 'olap')
    const shown = createShown({ client, names, segments })
    const { CLICKLEDGER_DRUID_LOAD_TASKS: subTasks } = settings
    const compaction = createCompaction({ client, names, tasks })
    const loads = createLoads({ names, tasks, shown, compaction, objects, scratch, subTasks })
    const speedRetention = createSpeedRetention(client, names)
    return storeOf({
      ...{ client, names, brokers, segments, realtime, loads, compaction, speedRetention },
      ...{ settings, log, stopping },
    })
  } catch (error) {
    await client.close()
    throw error
  }
}

interface StoreParts {
  readonly client: DruidClient
  readonly names: DruidNames
  readonly brokers: Brokers
  readonly segments: SegmentWatch
  readonly realtime: ReturnType<typeof createRealtime>
  readonly loads: ReturnType<typeof createLoads>
  readonly compaction: Compaction
  readonly speedRetention: SpeedRetention
  readonly settings: Settings
  readonly log: EventLog
  readonly stopping: AbortController
}

function storeOf(parts: StoreParts): OlapStore {
  const { client, names, brokers, segments, realtime, loads, compaction, speedRetention } = parts
  const { settings, log, stopping } = parts
  const timeoutMs = settings.CLICKLEDGER_QUERY_TIMEOUT

  const query: OlapStore['query'] = async (asked, signal, onRead) => {
    const report = narrowToPage(asked)
    const ranges = viewRanges(report)
    if (ranges.size === 0) return [] // all of it is arriving
    const native = compileDruidQuery(report, names, ranges)
    const limits = { timeoutMs, ...(signal ? { signal } : {}) }
    if (isBySegment(report, native, ranges)) {
      const published = segments.witness(ranges, report)
      const realtimeRows = ranges.has('speed') ? realtime.witness() : undefined
      const options = { ...limits, server: brokers.next }
      const answer = (await client.native(bySegment(native), options)) as SegmentRows[]
      const read = segmentsRead(answer, names)
      onRead?.(await realtimeRows?.(report, read))
      await published(read)
      return mergeSegments(report, answer)
    }
    return segments.vouchFor(ranges, async ({ server, onAnswer }) => {
      const told = () => {
        onRead?.()
        onAnswer()
      }
      const options = { ...limits, server, onAnswer: told }
      const rows = (await client.native(native, options)) as NativeRow[]
      return rows.map((row) => toReportRow(report, row))
    })
  }

  const statements = createStatements({ client, names, brokers, segments })

  const hourTotals: OlapStore['hourTotals'] = async (side, start, end) => {
    const view = side === 'batch' ? 'hour' : 'speed'
    const sums = sumMetrics.map(({ name }) => `SUM("${name}")`).join(', ')
    const sql = `SELECT TIME_FLOOR(__time, 'PT1H') AS h, ${sums} FROM "${names[view]}"
      WHERE __time >= ${timestampSql(start)} AND __time < ${timestampSql(end)}
        AND layer = '${view}' GROUP BY 1 ORDER BY 1`
    const rows = await segments.vouchFor(new Map([[view, [{ start, end }]]]), (asking) =>
      client.sql(sql, { timeoutMs, ...asking }),
    )
    return rows.map(
      ([hour, ...counts]) =>
        ({
          hour: Date.parse(String(hour)),
          ...Object.fromEntries(sumMetrics.map(({ name }, i) => [name, Number(counts[i])])),
        }) as HourTotals,
    )
  }

  const health = async (): Promise<OlapHealth> => {
    const [missing, { applied }, ends] = await Promise.all([
      segments.missing(),
      realtime.applied().then((offsets) => ({ applied: offsets })),
      log.endOffsets(topics.judged.name),
    ])
    const problems = [
      ...(realtime.regressed()
        ? ['a realtime task was lost, and the speed view is catching up']
        : []),
      ...problemsOf(await realtime.status()),
      ...(missing.length > 0 ? [`${missing.length} published segments are not loaded`] : []),
    ]
    return {
      problems,
      lagRecords: ends.reduce((sum, end, p) => sum + Math.max(0, end - (applied[p] ?? 0)), 0),
      unavailableSegments: missing.length,
    }
  }

  // One load at a time: two tasks that replace the same hour would wait for each other's lock.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = turn.then(work)
    turn = result.catch(() => {})
    return result
  }
  let closing: Promise<void> | undefined
  /** Every failure becomes one that callers know. */
  const told = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw storeError(error)
    })

  return {
    realtime: (atLeast) => told(realtime.applied(atLeast).then((applied) => ({ applied }))),
    health: () => told(health()),
    replaceHours: (hours) => told(inTurn(() => loads.replaceHours(hours))),
    loadedHours: (hours, finest) => told(loads.loadedHours(hours, finest)),
    settled: () => told(inTurn(loads.settled)),
    hourTotals: (view, start, end) => told(hourTotals(view, start, end)),
    query: (report, signal, onRead) => told(query(report, signal, onRead)),
    sql: statements,
    dropSpeedBefore: (time) => told(inTurn(() => speedRetention.dropBefore(time))),
    dropBatch: (grain, days) =>
      told(inTurn(() => markUnused(client, names[grainViews[grain]], days))),
    compactBefore: (time) => told(inTurn(() => compaction.join(time))),
    close() {
      stopping.abort()
      closing ??= turn.then(realtime.close).then(client.close)
      return closing
    },
  }
}

/** What the supervisor says is wrong with the realtime ingestion. */
function problemsOf({
  healthy,
  suspended,
  detailedState,
  recentErrors,
}: SupervisorStatus): string[] {
  if (suspended) return ['the supervisor of the speed view is suspended']
  if (healthy) return []
  const reason = recentErrors[0]?.message
  return [`the supervisor of the speed view is ${detailedState}${reason ? `: ${reason}` : ''}`]
}
