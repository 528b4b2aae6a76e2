// The speed layer: clicks.raw in, clicks.judged out, in seconds. Wiring only.

import type { RuleSet } from '#core/rules/rule-set.ts'
import type { EventLog, Processor } from '#platform/event-log/port.ts'
import { reportHeartbeat } from '#platform/heartbeats.ts'
import { type LayerContext, loopLayer, type RunningLayer } from '#platform/layer.ts'
import { currentRuleSet } from '#platform/rule-sets.ts'
import { openCatalogue, openEventLog } from '#platform/stack.ts'
import { pause } from '#platform/wait.ts'
import { groups, topics } from '#schemas/topics.ts'
import { createPartitionJudge, noCounts, type PartitionJudge } from './judge-partition.ts'
import { createProgress } from './progress.ts'
import { restoreState } from './restore.ts'

const heartbeatMs = 500
const maxRecords = 2_000

/** Runs the speed layer until it is closed or fails. */
export async function runSpeedLayer({
  settings,
  clock,
  logger,
}: LayerContext): Promise<RunningLayer> {
  const catalogue = await openCatalogue(settings)
  const log = await openEventLog(settings, clock.now)
  const progress = createProgress()
  const judges = new Map<number, PartitionJudge>()
  const retired = noCounts()
  const partitions = (await log.endOffsets(topics.raw.name)).length
  const historyMs = settings.CLICKLEDGER_SPEED_WINDOW
  const timesMax = Math.ceil(settings.CLICKLEDGER_SPEED_KEYS_MAX / partitions)
  const stopping = new AbortController()

  const start = (ruleSet: RuleSet): Promise<Processor> =>
    log.process({
      group: groups.speed,
      topic: topics.raw.name,
      maxRecords,
      now: clock.now,
      open: async (partition, committed) => {
        const judge = createPartitionJudge(ruleSet, { historyMs, timesMax })
        judges.set(partition, judge)
        progress.open(partition, committed)
        await restoreState(log, judge, partition, committed, 2 * historyMs)
        let lastReceived: number | undefined
        return {
          handle(records) {
            lastReceived = records[records.length - 1]?.timestamp ?? lastReceived
            return judge.handle(records, clock.now())
          },
          progressed: (state) => progress.update(partition, state, lastReceived),
          closed() {
            addCounts(retired, judge.counts)
            judges.delete(partition)
            progress.release(partition)
          },
        }
      },
    })

  const heartbeat = async () => {
    // The watermark first, then the ends: what the watermark covers is below the ends.
    const watermark = progress.watermark()
    const judgedEnds = await log.endOffsets(topics.judged.name)
    const counts = { ...retired }
    let stateKeys = 0
    let stateFullRotations = 0
    for (const { judge, counts: own } of judges.values()) {
      addCounts(counts, own)
      stateKeys += judge.stateSize
      stateFullRotations += judge.fullRotations
    }
    await reportHeartbeat(catalogue, 'speed', settings.CLICKLEDGER_NODE_ID, clock.now(), {
      watermark,
      partitions: progress.lags(),
      judgedEnds,
      counts,
      stateKeys,
      stateFullRotations,
    })
  }

  const run = async (): Promise<void> => {
    let ruleSet = await currentRuleSet(catalogue)
    let processor = await start(ruleSet)
    logger.info({ ruleSet: ruleSet.version, partitions }, 'speed layer started')
    try {
      while (!stopping.signal.aborted) {
        await heartbeat().catch((error) => logger.warn({ err: error }, 'heartbeat failed'))
        const newest = await currentRuleSet(catalogue).catch(() => ruleSet)
        if (newest.version !== ruleSet.version) {
          // State belongs to a rule set: start again under the new one, from the log.
          await processor.close()
          ruleSet = newest
          processor = await start(ruleSet)
          logger.info({ ruleSet: ruleSet.version }, 'judging under a new rule set')
        }
        await Promise.race([pause(heartbeatMs, stopping.signal), processor.done])
      }
    } finally {
      await processor.close()
    }
  }

  const done = run().finally(() => release(log, catalogue))
  return loopLayer(done, stopping)
}

async function release(log: EventLog, catalogue: { close(): Promise<void> }): Promise<void> {
  await log.close()
  await catalogue.close()
}

function addCounts(into: ReturnType<typeof noCounts>, from: ReturnType<typeof noCounts>): void {
  for (const name of Object.keys(into) as (keyof typeof into)[]) into[name] += from[name]
}
