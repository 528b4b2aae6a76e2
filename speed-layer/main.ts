// The speed layer: clicks.raw in, clicks.judged out, in seconds. Wiring only.

import type { RuleSet } from '#core/rules/rule-set.ts'
import type { EventLog, Processor } from '#platform/event-log/port.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type Readiness, type RunningLayer } from '#platform/layer.ts'
import { createRegistry } from '#platform/metrics.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { createTracer, type Span } from '#platform/tracing.ts'
import { pause, unlessAborted } from '#platform/wait.ts'
import { groups, topics } from '#schemas/topics.ts'
import { createPartitionJudge } from './judge-partition.ts'
import { createSpeedMetrics } from './metrics.ts'
import { createNodeState } from './node-state.ts'
import { restoreState } from './restore.ts'

const heartbeatMs = 500
const maxRecords = 2_000
/** Ready: reports reach the catalogue, with the ends of the event log, at least this often. */
const silentMs = 15_000

/** Runs the speed layer until it is closed or fails. Resolves when it has reported, if it can. */
export async function runSpeedLayer({
  settings,
  clock,
  logger,
}: LayerContext): Promise<RunningLayer> {
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, clock.now)
  const node = createNodeState()
  const registry = createRegistry('speed')
  const metrics = createSpeedMetrics(registry, node.read)
  let reportedAt = Number.NEGATIVE_INFINITY
  /** Of clicks.raw, as last seen: some may be added. */
  let partitions = (await log.endOffsets(topics.raw.name)).length
  const historyMs = settings.CLICKLEDGER_SPEED_WINDOW
  const stopping = new AbortController()
  const tracer = createTracer(settings, logger, clock.now)

  const start = (ruleSet: RuleSet): Promise<Processor> => {
    const timesMax = Math.ceil(settings.CLICKLEDGER_SPEED_KEYS_MAX / partitions)
    return log.process({
      group: groups.speed,
      topic: topics.raw.name,
      outputs: [topics.judged.name, topics.deadLetters.name],
      maxRecords,
      now: clock.now,
      warn: (message) => logger.warn(message),
      open: async (partition, committed) => {
        let spans: Span[] = []
        const traced = (parent: string) => {
          const span = tracer?.ofRecord('speed.judge', parent)
          if (span) spans.push(span)
          return span?.traceparent ?? parent
        }
        const judge = createPartitionJudge(ruleSet, { historyMs, timesMax }, traced)
        node.open(partition, committed, judge)
        const restored = metrics.restoreSeconds.startTimer()
        await restoreState(log, judge, partition, committed, 2 * historyMs)
        restored()
        let lastReceived: number | undefined
        let takenAt = 0
        return {
          handle(records) {
            takenAt = performance.now()
            lastReceived = records[records.length - 1]?.timestamp ?? lastReceived
            return judge.handle(records, clock.now())
          },
          progressed(state) {
            for (const span of spans) span.end({ partition })
            spans = []
            if (takenAt > 0) {
              metrics.transactionSeconds.observe((performance.now() - takenAt) / 1000)
              takenAt = 0
            }
            node.update(partition, state, lastReceived)
          },
          closed: () => node.close(partition),
        }
      },
    })
  }

  const heartbeat = async () => {
    // The watermark first, then the ends: what the watermark covers is below the ends, and in one of
    // the partitions that there are then.
    const state = node.read()
    const rawPartitions = (await log.endOffsets(topics.raw.name)).length
    const judgedEnds = await log.endOffsets(topics.judged.name)
    const { CLICKLEDGER_NODE_ID: id } = settings
    const body = { ...state, rawPartitions, judgedEnds }
    await reportHeartbeat(catalogue, 'speed', id, clock.now(), body)
    partitions = rawPartitions
    reportedAt = performance.now()
  }

  const readiness = (): Readiness => {
    const { partitions: held, watermark } = node.read()
    const isReporting = performance.now() - reportedAt < silentMs
    // Without a partition it stands by for one; with some, each must have shown progress.
    const isJudging = held.length === 0 || watermark > 0
    return {
      ready: isReporting && isJudging,
      log: isReporting ? 'ok' : 'unavailable',
      partitions: held.length,
      watermark: watermark > 0 ? new Date(watermark).toISOString() : null,
    }
  }

  const report = () =>
    heartbeat().catch((error) => {
      metrics.heartbeatFailures.inc()
      logger.warn({ err: error }, 'heartbeat failed')
    })

  const reportAndLook = async (ruleSet: RuleSet): Promise<RuleSet> => {
    await report()
    return currentRuleSet(catalogue).catch(() => ruleSet)
  }

  const run = async (): Promise<void> => {
    const ending = new AbortController()
    let failure: Error | undefined
    const watched = async (ruleSet: RuleSet): Promise<Processor> => {
      const processor = await start(ruleSet)
      processor.done.catch((error: Error) => {
        failure ??= error
        ending.abort()
      })
      return processor
    }
    const { signal } = ending
    stopping.signal.addEventListener('abort', () => ending.abort(), { once: true })
    let ruleSet = await currentRuleSet(catalogue)
    let assigned = partitions
    let processor = await watched(ruleSet)
    logger.info({ ruleSet: ruleSet.version, partitions }, 'speed layer started')
    try {
      while (!signal.aborted) {
        // A catalogue that hangs must hide neither the end of the processor nor the wish to stop.
        const newest = (await unlessAborted(reportAndLook(ruleSet), signal)) ?? ruleSet
        if (newest.version !== ruleSet.version || partitions !== assigned) {
          // State belongs to a rule set, and the group shares out the partitions that there were:
          // start again under the new ones, from the log.
          await processor.close()
          ruleSet = newest
          assigned = partitions
          processor = await watched(ruleSet)
          logger.info({ ruleSet: ruleSet.version, partitions }, 'judging anew')
        }
        await pause(heartbeatMs, signal)
      }
    } finally {
      await processor.close()
    }
    if (failure) throw failure
  }

  // The node's last report is an earlier process's: its counts must not pass for this one's.
  await report()
  const ended = run().finally(() => release(log, catalogue))
  return loopLayer({ run: ended, stopping, registry, readiness })
}

async function release(log: EventLog, catalogue: { close(): Promise<void> }): Promise<void> {
  await log.close()
  await catalogue.close()
}
