// Reports through the API on the embedded stores: beside the same query put straight to the DuckDB
// thread, while judged clicks go on coming; and how many equal ones one core answers.
import { openEventLog } from '#platform/stack.ts'
import {
  type BenchResult,
  milliseconds,
  perSecond,
  printResult,
  quantile,
} from './support/report.ts'
import { askBoth, reportQuestions, showBoth } from './support/report-questions.ts'
import { type BenchServing, feedClicks, startServing } from './support/serving.ts'
import { makeViews } from './support/views.ts'

export interface ReportsBenchOptions {
  readonly clicks: number
  readonly hours: number
  /** Times that each report is asked. */
  readonly times: number
  /** Judged clicks a second meanwhile. */
  readonly rate: number
  /** Equal requests. */
  readonly equal: number
}

const atOnce = 16

/** Equal requests, some at a time; all in this process, so its processor time is that of both sides. */
async function askEqual({ url, key }: BenchServing, path: string, count: number) {
  const headers = { authorization: `Bearer ${key}` }
  const latencies: number[] = []
  let left = count
  const cpu = process.threadCpuUsage()
  const begun = performance.now()
  const client = async () => {
    while (left-- > 0) {
      const at = performance.now()
      const answer = await fetch(url + path, { headers })
      await answer.arrayBuffer()
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`)
      latencies.push(performance.now() - at)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, client))
  const { user, system } = process.threadCpuUsage(cpu)
  return { ms: performance.now() - begun, cpuMs: (user + system) / 1000, latencies }
}

async function measureEqual(serving: BenchServing, count: number) {
  const report = '/v1/reports/clicks/timeseries?granularity=hour&metrics=click_count'
  await askEqual(serving, report, 200)
  const equal = await askEqual(serving, report, count)
  // The client's own work, and HTTP's: an answer without a report.
  const bare = await askEqual(serving, '/livez', count)
  const own = equal.cpuMs - bare.cpuMs
  return {
    'equal reports, client and server on one core': `${perSecond(count, equal.cpuMs)}; /livez likewise ${perSecond(count, bare.cpuMs)}`,
    'of that the report itself': `${(own / count).toFixed(2)} ms of processor each`,
    'latency of equal reports, 16 at once': `p50 ${milliseconds(quantile(equal.latencies, 0.5))}, p95 ${milliseconds(quantile(equal.latencies, 0.95))}`,
  }
}

/** Measures. @throws Error where a report and its query differ in their rows */
export async function runReportsBench(options: ReportsBenchOptions): Promise<BenchResult> {
  const { clicks, hours, times, rate, equal } = options
  const views = await makeViews(hours, Math.ceil(clicks / (2 * hours)))
  const serving = await startServing(views.store, views.settings, views.boundary)
  const log = await openEventLog(views.settings, Date.now)
  const figures: Record<string, string> = {}
  try {
    const stop = feedClicks(log, rate)
    for (const question of reportQuestions(views)) {
      const direct = async (query: typeof question.query) => (await views.store.query(query)).length
      const { through, straight, rows } = await askBoth(serving, question, direct, times)
      // New minutes and ads may come between the two.
      if (Math.abs(rows.api - rows.direct) > 2) throw new Error(`${question.label}: rows differ`)
      figures[`${question.label} (${rows.api} rows)`] = showBoth(through, straight)
    }
    figures['judged clicks that came meanwhile'] = (await stop()).toLocaleString('en')
    Object.assign(figures, await measureEqual(serving, equal))
  } finally {
    await serving.close()
    await log.close()
    await views.close()
  }
  const name = `Reports: ${views.clicks.toLocaleString('en')} clicks, ${rate} a second coming meanwhile`
  return { name, figures }
}

if (import.meta.main) {
  const [clicks = 10_000_000, hours = 24, times = 40, rate = 1_000, equal = 5_000] = process.argv
    .slice(2)
    .map(Number)
  printResult(await runReportsBench({ clicks, hours, times, rate, equal }))
}
