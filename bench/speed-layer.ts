// How fast the speed layer judges on one core: clicks.raw to clicks.judged with exactly-once commits
// on the embedded log, beside a consumer that copies the same records and judges nothing. Then how
// its memory behaves over many clicks.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultRuleSet } from '#core/rules/rule-set.ts'
import type { EventLog, LogRecord, Output, PartitionTask } from '#platform/event-log/port.ts'
import { openSqliteEventLog } from '#platform/event-log/sqlite.ts'
import { until } from '#platform/wait.ts'
import { topics } from '#schemas/topics.ts'
import { createPartitionJudge } from '../speed-layer/judge-partition.ts'
import { madeRecord } from './support/raw-clicks.ts'
import { type BenchResult, perSecond, printResult, ratio } from './support/report.ts'

const partitions = 4
const ratePerSecond = 10_000
const start = Date.UTC(2026, 0, 10)
const limits = { historyMs: 600_000, timesMax: 1_000_000 }

async function timeProcessor(
  log: EventLog,
  clicks: number,
  open: () => PartitionTask,
): Promise<number> {
  const group = `bench-${Math.random()}`
  const begun = performance.now()
  const processor = await log.process({
    group,
    topic: topics.raw.name,
    outputs: [topics.judged.name],
    maxRecords: 2_000,
    now: Date.now,
    open: async () => open(),
  })
  await until(
    async () => {
      const committed = await log.committedOffsets(group, topics.raw.name)
      return committed.reduce((a, b) => a + b, 0) >= clicks
    },
    { timeoutMs: 600_000, what: 'everything is judged' },
  )
  const ms = performance.now() - begun
  await processor.close()
  return ms
}

/** Judges `clicks` in memory, one partition's state, and reports memory on the way. */
function memoryOver(clicks: number): string {
  const judge = createPartitionJudge(defaultRuleSet, limits)
  const steps: string[] = []
  const batch = 2_000
  for (let n = 0; n < clicks; n += batch) {
    const records = Array.from({ length: batch }, (_, i): LogRecord => {
      const record = madeRecord(n + i, start, ratePerSecond)
      return { ...record, partition: 0, offset: n + i }
    })
    judge.handle(records, start)
    if ((n + batch) % Math.ceil(clicks / 5) < batch) {
      globalThis.gc?.()
      steps.push(`${Math.round(process.memoryUsage.rss() / 2 ** 20)}`)
    }
  }
  return `${steps.join(' -> ')} MiB`
}

export async function runSpeedBench(clicks: number, memoryClicks: number): Promise<BenchResult> {
  const dir = mkdtempSync(join(tmpdir(), 'clickledger-bench-'))
  const log = await openSqliteEventLog({ dir, now: () => start })
  try {
    await log.ensureTopics(Object.values(topics), partitions)
    for (let n = 0; n < clicks; n += 5_000) {
      const size = Math.min(5_000, clicks - n)
      await log.append(
        topics.raw.name,
        Array.from({ length: size }, (_, i) => madeRecord(n + i, start, ratePerSecond)),
      )
    }
    const copyMs = await timeProcessor(log, clicks, () => ({
      handle: (records) => records.map((r): Output => ({ ...r, topic: topics.judged.name })),
    }))
    const judgeMs = await timeProcessor(log, clicks, () => {
      const judge = createPartitionJudge(defaultRuleSet, limits)
      return { handle: (records) => judge.handle(records, start) }
    })
    return {
      name: `Speed layer: ${clicks.toLocaleString('en')} made-up clicks, one thread`,
      figures: {
        'judged, exactly once': perSecond(clicks, judgeMs),
        'copied without judging, exactly once': perSecond(clicks, copyMs),
        'judged / copied': ratio(copyMs, judgeMs),
        [`memory over ${memoryClicks.toLocaleString('en')} clicks`]: memoryOver(memoryClicks),
      },
    }
  } finally {
    await log.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const [clicks = 500_000, memoryClicks = 10_000_000] = process.argv.slice(2).map(Number)
  printResult(await runSpeedBench(clicks, memoryClicks))
}
